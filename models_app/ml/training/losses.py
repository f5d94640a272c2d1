"""The loss history of a base training: a CSV file that survives a kill at any moment."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from models_app.ml.checkpoint import write_durably
from models_app.ml.errors import CheckpointError, mark

HEAD: Final = ("minutes", "bytes", "learning_rate", "train_loss", "validation_loss")
_BYTES: Final = HEAD.index("bytes")


def begin(path: Path) -> None:
    """Write a file with only the header."""
    _replace(path, [])


def append(path: Path, row: Sequence[object]) -> None:
    """Append a row and flush it to the disk, so that a state saved later is never ahead of the table."""
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow(row)
        file.flush()
        os.fsync(file.fileno())


def forget_after(path: Path, seen: int) -> None:
    """Delete the rows after `seen` bytes, since the resumed training writes them again.

    Also drops an incomplete last line, which a kill left after the state was saved. Raises CheckpointError for a
    damaged line before the last.
    """
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    lines = list(csv.reader(io.StringIO(text, newline="")))[1:]
    rows = []
    for number, line in enumerate(lines, start=2):
        if _is_whole(line):
            rows.append(line)
        elif number <= len(lines):
            raise CheckpointError(
                mark("Line %(number)s of %(file)s is damaged. Correct or delete it, then resume."),
                number=number,
                file=path,
            )
    _replace(path, [row for row in rows if int(row[_BYTES]) <= seen])


def _is_whole(line: Sequence[str]) -> bool:
    try:
        int(line[_BYTES])
        return len([float(value) for value in line]) == len(HEAD)
    except (ValueError, IndexError):
        return False


def _replace(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Replace the table atomically: a kill leaves the old or the new one."""
    table = io.StringIO(newline="")
    csv.writer(table).writerows([HEAD, *rows])
    staged = path.with_name(f".{path.name}.new")
    write_durably(staged, table.getvalue().encode())
    staged.replace(path)
