"""Folders that belong to rows, removed only after the rows are certainly deleted."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from django.db import transaction


def remove_when_committed(folder: Path) -> None:
    """Remove the folder, if it exists, when the transaction commits, or at once outside a transaction.

    After a rollback the rows are back, so their files must still exist. A process that is killed between commit and
    removal leaves a folder without a row, which `doctor` finds.
    """
    transaction.on_commit(partial(shutil.rmtree, folder, ignore_errors=True))
