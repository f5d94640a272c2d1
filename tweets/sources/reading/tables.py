"""Records of a CSV file with any delimiter, with or without a header."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from botfactory.words.translatable import counted_sentence, mark
from tweets.sources.base import BadFile, WhichColumn
from tweets.sources.reading.records import DATE_NAMES, ID_NAMES, TEXT_NAMES, field_name

SAMPLE_ROWS = 200
#: What may be between the cells. No text contains the first, so a table of one column keeps its sentences' commas.
DELIMITERS = "\x1f,;\t|"
_NO_TEXT = frozenset((*ID_NAMES, *DATE_NAMES))
_KNOWN = frozenset((*TEXT_NAMES, *ID_NAMES, *DATE_NAMES))
_CERTAIN_NAMES = ("full_text", "text", "tweet_text")  # of X's own files
_SENTENCE = re.compile(r"[^\W\d_]{2,}\W+[^\W\d_]|[\u2e80-\uffff]{6}")  # the latter is written without spaces
_NO_SENTENCE = ("http://", "https://", "<a ", "{", "[")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}\Z")


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is written: `names` are the fields of its header, none without one; `column` is that of the text."""

    delimiter: str
    names: Sequence[str]
    column: int
    width: int


def layout_of(sample: list[str], text_column: str = "", delimiters: str = DELIMITERS) -> Layout | None:
    """Return the layout of the table that begins with these lines, None if they have no cells. Raises WhichColumn."""
    delimiter = max(delimiters, key=lambda sign: _fit(_sample_rows(sample, sign), text_column))
    head = _sample_rows(sample, delimiter)
    if not head:
        return None
    names, column = _columns(head, text_column)
    return Layout(delimiter, names, column, len(head[0]))


def rows(lines: Iterator[str], text_column: str = "") -> Iterator[tuple[int, Mapping[str, Any], str]]:
    """Yield (line number, record, text) for each row. Field names are those of `records.field_name`.

    The text is the column called `text_column` (or the one with that number), else the one with a name from
    `TEXT_NAMES`, else the one that contains sentences. Raises WhichColumn if several columns are possible, and BadFile
    with the line if a row can't be read.
    """
    sample = list(itertools.islice(lines, SAMPLE_ROWS))
    layout = layout_of(sample, text_column)
    if layout is None:
        return
    names, column = layout.names, layout.column
    has_header = bool(names)
    reader = csv.reader(itertools.chain(sample, lines), delimiter=layout.delimiter)
    for number, row in _numbered(reader):
        if not any(cell.strip() for cell in row):
            continue
        if has_header:
            has_header = False
            continue
        if len(row) <= column or any(cell.strip() for cell in row[layout.width :]):
            raise BadFile(
                mark(
                    "Line %(number)s has %(columns)s, but the table has %(width)s. Put posts that contain the "
                    'delimiter or a line break in quotes ("…").'
                ),
                number=number,
                columns=counted_sentence("%(count)s column", "%(count)s columns", len(row)),
                width=layout.width,
            )
        yield number, dict(zip(names, row, strict=False)), row[column]


def _numbered(reader: Any) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield each row with the number of its first line."""
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise BadFile(
                mark(
                    "We can’t read the row that starts at line %(number)s. A quote is probably never closed. Close it, "
                    "or save the table as CSV again."
                ),
                number=number,
            ) from None
        yield number, row


def _sample_rows(sample: list[str], delimiter: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(sample, delimiter=delimiter) if any(cell.strip() for cell in row)]
    except csv.Error:
        return []


def _fit(rows: list[list[str]], text_column: str) -> tuple[bool, float, int]:
    """Return how well a delimiter fits: a known name in the header, then rows as wide as the first, then width."""
    width = len(rows[0]) if rows else 0
    same = sum(len(row) == width for row in rows) / max(1, len(rows))
    names = [field_name(cell) for cell in rows[0]] if width > 1 else []
    named = any(name in TEXT_NAMES or name == field_name(text_column) for name in names if name)
    if width < 2 or not (named or same > 0.9):
        return (False, 0.0, 1)
    return (named, round(same, 1), width)


def _columns(rows: list[list[str]], text_column: str) -> tuple[list[str], int]:
    """Return the field names of the header (none without a header) and the column that contains the text."""
    first = [cell.strip() for cell in rows[0]]
    names = [field_name(cell) for cell in first]
    body = rows[1:] or rows
    widths = [_words(body, i) for i in range(len(first))]
    looks_like_names = all(_IDENTIFIER.match(cell) for cell in first if cell) and len(rows) > 1
    has_header = any(name in _KNOWN for name in names) or (
        looks_like_names and max(_length(body, i) for i in range(len(first))) > 2 * max(map(len, first))
    )
    if text_column:
        return _named(text_column, first, names, has_header)
    for name in _CERTAIN_NAMES:
        if name in names:
            return names, names.index(name)
    known = [names.index(name) for name in TEXT_NAMES if name in names]
    others = [i for i, name in enumerate(names) if name not in _NO_TEXT] or list(range(len(first)))
    widest = max(others, key=lambda i: widths[i])
    candidates = known or [widest, *(i for i in others if i != widest and widths[i] * 3 > widths[widest])]
    candidates = [i for i in candidates if widths[i]] or candidates[:1]
    if len(candidates) > 1:
        _ask([first[i] if has_header and first[i] else f"column {i + 1}" for i in sorted(candidates)])
    if known or has_header:
        return names, candidates[0]
    return [], candidates[0]


def _named(text_column: str, first: list[str], names: list[str], has_header: bool) -> tuple[list[str], int]:
    wanted = field_name(text_column)
    if wanted in names:
        return names, names.index(wanted)
    number = wanted.removeprefix("column_")
    if number.isascii() and number.isdigit() and 0 < int(number[:6]) <= len(first):
        return (names if has_header else []), int(number) - 1
    if has_header:
        raise WhichColumn(
            mark("The table has no column “%(column)s”. Enter one of these, or its number: %(columns)s."),
            tuple(first),
            column=text_column[:40],
            columns=", ".join(f"“{cell[:40]}”" for cell in first[:20]),
        )
    raise WhichColumn(
        mark("The table has no column “%(column)s”. It has %(columns)s without names. Enter the number of one."),
        (),
        column=text_column[:40],
        columns=counted_sentence("%(count)s column", "%(count)s columns", len(first)),
    )


def _ask(columns: list[str]) -> NoReturn:
    shown = [f"“{column[:40]}”" for column in columns[:10]]
    raise WhichColumn(
        mark(
            "Several columns of this table may contain the posts: %(columns)s. Enter the right one under “Text "
            "column”, or at the terminal with --column."
        ),
        tuple(columns),
        columns=", ".join(shown),
    )


def _length(rows: list[list[str]], column: int) -> float:
    return sum(len(row[column]) for row in rows if column < len(row)) / len(rows)


def _words(rows: list[list[str]], column: int) -> float:
    """Return how much of a column is sentences: their average length, without addresses and HTML.

    Other texts count a thousandth, for tables of single words.
    """
    cells = [row[column].strip() for row in rows if column < len(row)]
    wordy = sum(len(cell) for cell in cells if _SENTENCE.search(cell) and not cell.startswith(_NO_SENTENCE))
    return (wordy + sum(map(len, cells)) / 1000) / len(rows)
