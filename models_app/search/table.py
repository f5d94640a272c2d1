"""The table of a search's trials: ranked, sorted as asked, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from botfactory.web.spreadsheets import safe_throughout
from models_app.search.rows import Search, Trial

#: Rows that a page shows unless it's asked for all.
SHOWN: Final = 100
_ORDER: Final = (
    Trial.State.COMPLETE,
    Trial.State.PRUNED,
    Trial.State.RUNNING,
    Trial.State.WAITING,
    Trial.State.FAILED,
)
_FACTS: Final = ("rank", "number", "state", "bits_per_character", "steps", "seconds", "weights")


@dataclass(frozen=True, slots=True)
class Row:
    """A trial with its rank among the complete ones, from 1, and the values of the search's settings as text."""

    trial: Trial
    rank: int | None
    values: tuple[str, ...]

    @property
    def steps(self) -> int:
        return len(self.trial.points)


@dataclass(frozen=True, slots=True)
class Column:
    """A column that can be sorted by. `query`: of the page that is, or the other way round; `sorted`: for aria-sort."""

    name: str
    label: str
    is_number: bool
    is_setting: bool
    query: str
    sorted: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that are shown, of `total`. `query`: of the page that shows them; `query_of_all`: of one that shows all."""

    rows: list[Row]
    columns: list[Column]
    total: int
    query: str
    query_of_all: str

    @classmethod
    def of(cls, search: Search, trials: Sequence[Trial], sort: str = "", *, has_all: bool = False) -> Table:
        """Return the table, sorted by the column `sort` names ("-" before it: from the highest), or else ranked.

        It has SHOWN rows, or all.
        """
        rows = rows_of(search, trials)
        name, is_reversed = sort.removeprefix("-"), sort.startswith("-")
        labels = _labels(search)
        if name in labels:
            rows = _sorted(rows, _key(name), is_reversed)
        else:
            name, sort = "rank", ""
        columns = [
            Column(
                key,
                label,
                key != "state",
                key in search.names,
                _query(f"-{key}" if key == name and not is_reversed else key, has_all),
                _aria(key, name, is_reversed),
            )
            for key, label in labels.items()
        ]
        shown = rows if has_all else rows[:SHOWN]
        return cls(shown, columns, len(rows), _query(sort, has_all), _query(sort, True))


def rows_of(search: Search, trials: Sequence[Trial]) -> list[Row]:
    """Return the trials as rows: complete ones from the best on, then those that ended early, then the others."""
    ordered = sorted(trials, key=_rank)
    return [
        Row(
            trial,
            place if trial.state == Trial.State.COMPLETE else None,
            tuple(shown(trial.parameters.get(name)) for name in search.names),
        )
        for place, trial in enumerate(ordered, start=1)
    ]


def shown(value: float | int | str | None) -> str:
    """Return a value of a setting as text, in the active language."""
    if value is None:
        return ""
    return number_format(f"{value:.4g}") if isinstance(value, float) else str(value)


def as_csv(search: Search, trials: Sequence[Trial]) -> str:
    """Return all trials as CSV, in the order of their ranks. No cell begins like a formula."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\r\n")
    table.writerow([*_FACTS, *search.names, "error"])
    for row in rows_of(search, trials):
        trial = row.trial
        facts = (row.rank, trial.number, trial.state, trial.bits_per_character, row.steps, trial.seconds, trial.weights)
        values = [trial.parameters.get(name) for name in search.names]
        cells = (*facts, *values, trial.why)
        table.writerow([safe_throughout(cell) if isinstance(cell, str) else cell for cell in cells])
    return file.getvalue()


def _labels(search: Search) -> dict[str, str]:
    labels = {
        "rank": _("Rank"),
        "number": _("Trial"),
        "state": _("State"),
        "bits": _("Bits per character"),
        "steps": _steps(search),
        "seconds": _("Seconds"),
    }
    if search.kind == Search.Kind.BASE:
        labels["weights"] = _("Parameters")
    # The names of settings are the same in each language, as in the space.
    return labels | {name: name for name in search.names}


def _steps(search: Search) -> str:
    if search.kind == Search.Kind.BASE:
        return _("Validations")
    return _("Parts done") if search.settings.get("kind") == "llama" else _("Epochs done")


def _key(name: str) -> Callable[[Row], Any]:
    facts: dict[str, Callable[[Row], Any]] = {
        "rank": lambda row: row.rank,
        "number": lambda row: row.trial.number,
        "state": lambda row: str(row.trial.state),
        "bits": lambda row: row.trial.bits_per_character,
        "steps": lambda row: row.steps,
        "seconds": lambda row: row.trial.seconds,
        "weights": lambda row: row.trial.weights,
    }
    return facts.get(name, lambda row: row.trial.parameters.get(name))


def _sorted(rows: list[Row], key: Callable[[Row], Any], is_reversed: bool) -> list[Row]:
    """Return the rows by this key, and by rank where it's equal; rows without a value come last."""
    known = [row for row in rows if key(row) is not None]
    return [*sorted(known, key=key, reverse=is_reversed), *(row for row in rows if key(row) is None)]


def _rank(trial: Trial) -> tuple[int, float, int]:
    bits = trial.bits_per_character
    return _ORDER.index(Trial.State(trial.state)), float("inf") if bits is None else bits, trial.number


def _query(sort: str, has_all: bool) -> str:
    return urlencode(({"sort": sort} if sort else {}) | ({"all": 1} if has_all else {}))


def _aria(key: str, name: str, is_reversed: bool) -> str:
    if key != name:
        return ""
    return "descending" if is_reversed else "ascending"
