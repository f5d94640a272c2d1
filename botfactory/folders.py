"""Folders that go with rows: removed once it is certain that the rows are gone."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from django.db import transaction


def remove_when_committed(folder: Path) -> None:
    """Remove the folder, if it is there, once the transaction is committed; where there is none, at once.

    After a rollback the rows are back, and so their files must be. Whoever is killed between commit and removal leaves
    a folder without a row, which the doctor finds.
    """
    transaction.on_commit(partial(shutil.rmtree, folder, ignore_errors=True))
