"""What came of learning a persona, kept in a file of JSON lines.

Each outcome is written as soon as it is known: an interrupted run goes on behind the last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .common import say


@dataclass(frozen=True, slots=True)
class Outcome:
    """bits: a character, on the newest tenth; validation_bits: on the tenth before, by which the contender has chosen.

    seconds: from the start to the chosen model, building the graph included and this measurement left out; epochs: that
    were trained; more: what else is worth knowing.
    """

    bits: float
    validation_bits: float
    seconds: float
    epochs: int
    more: dict[str, Any] = field(default_factory=dict)


class Results:
    """What is known, by all that it depends on; without a path it is forgotten with the process."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, Outcome] = {}
        if path is not None and path.exists():
            self._read(path)

    def get(self, key: Mapping[str, Any]) -> Outcome | None:
        """Returns the outcome under this very key, or None."""
        return self._known.get(_canonical(key))

    def put(self, key: Mapping[str, Any], outcome: Outcome) -> None:
        """The outcome is known, and its line is in the file."""
        self._known[_canonical(key)] = outcome
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key} | asdict(outcome), ensure_ascii=False) + "\n")

    def _read(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            try:
                values = json.loads(line)
                key = _canonical(values.pop("key"))
                self._known[key] = Outcome(**values)
            except (ValueError, KeyError, TypeError, AttributeError):
                say(f"{path}, line {number}: no outcome, left aside")
        if text and not text.endswith("\n"):
            # Cut off while it was written: the next line must not become a part of it.
            with path.open("a", encoding="utf-8") as file:
                file.write("\n")


def _canonical(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
