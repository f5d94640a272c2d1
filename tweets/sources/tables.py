"""Records of a CSV file, whatever its delimiter and whether or not it has a header."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tweets.sources.base import BadFile
from tweets.sources.records import DATE_NAMES, ID_NAMES, TEXT_NAMES, field_name

_SAMPLE_ROWS = 200
_ONE_COLUMN = "\x1f"  # stands in no text, so a table of one column keeps the commas of its sentences
_KNOWN = frozenset((*TEXT_NAMES, *ID_NAMES, *DATE_NAMES))
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}\Z")


def rows(lines: Iterator[str]) -> Iterator[tuple[int, Mapping[str, Any], str]]:
    """Yields (line number, record, text) for each row; field names are those of `records.field_name`.

    The text is the column with a name of `TEXT_NAMES`, else the column that is longest on average. Raises BadFile, with
    the line, where a row cannot be read.
    """
    sample = list(itertools.islice(lines, _SAMPLE_ROWS))
    if not sample:
        return
    delimiter = max(_ONE_COLUMN + ",;\t", key=lambda mark: _fit(_sample_rows(sample, mark)))
    head = _sample_rows(sample, delimiter)
    if not head:
        return
    names, column = _columns(head)
    has_header = bool(names)
    reader = csv.reader(itertools.chain(sample, lines), delimiter=delimiter)
    for number, row in _numbered(reader):
        if not any(cell.strip() for cell in row):
            continue
        if has_header:
            has_header = False
            continue
        if len(row) <= column:
            raise BadFile(
                f"Line {number} has {len(row)} columns, but the text is in column {column + 1}. "
                'A post that holds the delimiter or a line end has to stand in quotes ("…").'
            )
        yield number, dict(zip(names, row, strict=False)), row[column]


def _numbered(reader: Any) -> Iterator[tuple[int, Sequence[str]]]:
    """Yields each row with the number of its first line."""
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise BadFile(
                f"The row that starts at line {number} cannot be read: a quote is probably never closed. "
                "Close it, or save the table again as CSV."
            ) from None
        yield number, row


def _sample_rows(sample: list[str], delimiter: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(sample, delimiter=delimiter) if any(cell.strip() for cell in row)]
    except csv.Error:
        return []


def _fit(rows: list[list[str]]) -> tuple[bool, float, int]:
    """How well a delimiter fits: a known name in the header, then rows as wide as the first, then width."""
    width = len(rows[0]) if rows else 0
    same = sum(len(row) == width for row in rows) / max(1, len(rows))
    named = width > 1 and _text_column([field_name(cell) for cell in rows[0]]) is not None
    if width < 2 or not (named or same > 0.9):
        return (False, 0.0, 1)
    return (named, round(same, 1), width)


def _text_column(names: list[str]) -> int | None:
    return next((names.index(name) for name in TEXT_NAMES if name in names), None)


def _columns(rows: list[list[str]]) -> tuple[list[str], int]:
    """The field names of the header (none where there is no header) and the column that holds the text."""
    first = [cell.strip() for cell in rows[0]]
    names = [field_name(cell) for cell in first]
    known = _text_column(names)
    if known is not None:
        return names, known
    body = rows[1:] or rows
    widths = [sum(len(row[i]) for row in body if i < len(row)) / len(body) for i in range(len(first))]
    column = widths.index(max(widths))
    looks_like_names = all(_IDENTIFIER.match(cell) for cell in first if cell) and len(rows) > 1
    if any(name in _KNOWN for name in names) or (looks_like_names and widths[column] > 2 * len(first[column])):
        return names, column
    return [], column
