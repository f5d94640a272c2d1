"""The outcomes of learning a persona, stored in a file of JSON lines.

Each outcome is written as soon as it is known, so an interrupted run continues after the last one.
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
    """bits: per character on the newest tenth; validation_bits: on the tenth before it, on which the contender chose.

    seconds: from the start to the chosen model, including building the graph but not this measurement; epochs: number
    of trained epochs; more: anything else worth knowing.
    """

    bits: float
    validation_bits: float
    seconds: float
    epochs: int
    more: dict[str, Any] = field(default_factory=dict)


class Results:
    """Known outcomes, by everything that they depend on. Without a path, they are lost when the process ends."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, Outcome] = {}
        if path is not None and path.exists():
            self._read(path)

    def get(self, key: Mapping[str, Any]) -> Outcome | None:
        """Return the outcome for exactly this key, or None."""
        return self._known.get(_canonical(key))

    def put(self, key: Mapping[str, Any], outcome: Outcome) -> None:
        """Store the outcome and write its line to the file."""
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
            # It was cut off while it was written. The next line must not become part of it.
            with path.open("a", encoding="utf-8") as file:
                file.write("\n")


def _canonical(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
