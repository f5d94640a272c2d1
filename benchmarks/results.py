"""Outcomes in a file of JSON lines, each written as soon as it is known: an interrupted run goes on behind the last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .common import say
from .contenders import Outcome


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
