"""The losses of a base training on its way, as a table for everybody: a CSV file that survives a kill at any moment."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from models_app.ml.checkpoint import write_durably
from models_app.ml.errors import CheckpointError

HEAD: Final = ("minutes", "bytes", "learning_rate", "train_loss", "validation_loss")
_BYTES: Final = HEAD.index("bytes")


def begin(path: Path) -> None:
    """The file holds the head alone on return."""
    _replace(path, [])


def append(path: Path, row: Sequence[object]) -> None:
    """The row is on the disk on return: a training state that is saved later never knows more than the table."""
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow(row)
        file.flush()
        os.fsync(file.fileno())


def forget_after(path: Path, seen: int) -> None:
    """The file holds the rows of up to `seen` bytes read, as the training that goes on from there will write the rest.

    A last line that a kill has torn is cut off; it came after the state. CheckpointError for a damaged line before.
    """
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    lines = list(csv.reader(io.StringIO(text, newline="")))[1:]
    rows = []
    for number, line in enumerate(lines, start=2):
        if _is_whole(line):
            rows.append(line)
        elif number <= len(lines):
            raise CheckpointError(f"Line {number} of {path} is damaged: correct or delete it, and go on with resume.")
    _replace(path, [row for row in rows if int(row[_BYTES]) <= seen])


def _is_whole(line: Sequence[str]) -> bool:
    try:
        int(line[_BYTES])
        return len([float(value) for value in line]) == len(HEAD)
    except (ValueError, IndexError):
        return False


def _replace(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Not in place: a kill leaves the old table or the new one."""
    table = io.StringIO(newline="")
    csv.writer(table).writerows([HEAD, *rows])
    staged = path.with_name(f".{path.name}.new")
    write_durably(staged, table.getvalue().encode())
    staged.replace(path)
