"""The rows of bots, games and searches in a person's ZIP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from botfactory.your_data.parts import Import, Restored, Rows
from models_app.your_data import restoring, written


def _generations(lines: Iterable[Mapping[str, Any]], run: Import) -> Restored:
    return restoring.generations(lines, owner=run.job.owner, numbers=run.numbers, fenced=run.fenced)


def _kept(lines: Iterable[Mapping[str, Any]], run: Import) -> Restored:
    return restoring.kept(lines, owner=run.job.owner, numbers=run.numbers, fenced=run.fenced)


ROWS: Final = (
    Rows("generations", written.generations, _generations),
    Rows("kept", written.kept, _kept),
    Rows("games", written.games),
    Rows("searches", written.searches),
    Rows("reports", written.reports),
)
