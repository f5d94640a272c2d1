"""Lines that can't be read: counted, and kept as they are, up to a limit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Final, Self

from botfactory.words.plurals import counted
from tweets.preparation.errors import PreparationError

_EXAMPLES: Final = 3
_SHOWN: Final = 100_000  # characters of a line


class BadLines:
    """Write each bad line to a file, with its place and what is wrong. More than `limit` of them are an error."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._file: IO[str] | None = None
        self._input = ""
        self.count = 0
        self.examples: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def begin(self, name: str) -> None:
        """Name the input that is read from here on."""
        self._input = name

    def add(self, number: int, why: str, line: str) -> None:
        """Count a line. Raises PreparationError above the limit."""
        self.count += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{self._input}, line {number}: {why}")
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8", errors="surrogatepass")
        record = {"file": self._input, "line": number, "why": why, "text": line[:_SHOWN]}
        self._file.write(json.dumps(record) + "\n")
        if self.count > self._limit:
            raise PreparationError(
                f"More than {counted(self._limit, 'line')} can't be read. {'; '.join(self.examples)}. Correct the "
                "input, name its format with --format, or allow more with --bad-lines."
            )
