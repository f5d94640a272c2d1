"""Posts in tables of any size: tab-separated or CSV, quoted or not.

A cell that begins with a quote ends with one, and may contain delimiters, line breaks and doubled quotes. Elsewhere a
quote is a character like any other. A quote that is never closed doesn't swallow the posts that follow.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from botfactory.words.plurals import counted
from tweets.preparation.batch import Batch, batch_of
from tweets.preparation.errors import PreparationError
from tweets.preparation.reading.bad_lines import BadLines
from tweets.preparation.reading.lines import Lines
from tweets.sources.base import WhichColumn
from tweets.sources.reading.records import field_name
from tweets.sources.reading.tables import DELIMITERS, SAMPLE_ROWS, Layout, layout_of

AUTHOR_NAMES: Final = (
    "author_id",
    "user_id",
    "user_id_str",
    "from_user_id",
    "author",
    "user",
    "username",
    "user_name",
    "screen_name",
    "user_screen_name",
    "handle",
    "account",
    "from_user",
)
#: Lines of one cell. A quote that is open for longer was none.
MAX_LINES: Final = 100
#: Characters of a cell; csv refuses longer ones.
_LIMIT: Final = 131_072


@dataclass(frozen=True, slots=True)
class Columns:
    """What is known of a table: the columns of text and author, "" to find them, and what may be between cells."""

    text: str = ""
    author: str = ""
    delimiters: str = DELIMITERS


def batches(source: Iterator[Lines], bad: BadLines, columns: Columns) -> Iterator[Batch]:
    """Yield the posts of a table. Raises PreparationError if it isn't clear which column has them."""
    first = next(source, None)
    if first is None:
        return
    sample = first.text.split("\n", SAMPLE_ROWS)[:SAMPLE_ROWS]
    try:
        layout = layout_of([line + "\n" for line in sample], columns.text, columns.delimiters)
    except WhichColumn as error:
        raise PreparationError(str(error)) from error
    if layout is None:
        raise PreparationError("The table has no rows.")
    table = _Table(layout, _author_of(layout, columns.author), bad)
    yield from table.batches(first)
    for lines in source:
        yield from table.batches(lines)
    yield from table.rest()


def _author_of(layout: Layout, author_column: str) -> int | None:
    names = list(layout.names)
    if not author_column:
        return next((names.index(name) for name in AUTHOR_NAMES if name in names), None)
    name = field_name(author_column)
    if name in names:
        return names.index(name)
    if name.isdigit() and 0 < int(name) <= layout.width:
        return int(name) - 1
    has = f"It has {', '.join(names)}." if names else f"It has {counted(layout.width, 'column')} without names."
    raise PreparationError(f"The table has no column {author_column!r}. {has} Correct --author-column.")


class _Table:
    """The rows of a table, some lines at a time."""

    def __init__(self, layout: Layout, author: int | None, bad: BadLines) -> None:
        self._layout, self._author, self._bad = layout, author, bad
        self._is_head = bool(layout.names)
        self._inner = layout.delimiter + '"'
        self._open: list[str] = []  # the lines of a row in which a quote is open
        self._number = 0  # of the first of them

    def batches(self, lines: Lines) -> Iterator[Batch]:
        if self._open or '"' in lines.text:
            well_formed = None if self._open else self._well_formed(lines.text)
            if well_formed is not None:
                yield self._batch(well_formed)
                return
            rows = list(self._quoted(lines))
        else:
            found = lines.text.split("\n")
            delimiter, width = self._layout.delimiter, self._layout.width
            plain = [line.split(delimiter) for line in found if line]
            if set(map(len, plain)) == {width}:
                if self._is_head:
                    self._is_head = False
                    del plain[0]
                yield self._batch(plain)
                return
            rows = [(at, line.split(delimiter)) for at, line in enumerate(found, lines.number) if line]
        yield self._batch(self._fitting(rows))

    def _well_formed(self, text: str) -> list[list[str]] | None:
        """Return the rows if csv can read all of them and nothing is doubtful, else None. That's four times as fast."""
        try:
            reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=self._layout.delimiter, strict=True)
            rows = [row for row in reader if row]
        except csv.Error:
            return None
        column, width = self._layout.column, self._layout.width
        if not rows or set(map(len, rows)) != {width}:
            return None
        ends = 0
        for cell in [row[column] for row in rows if "\n" in row[column]]:
            if "\t" in cell or cell.count("\n") >= MAX_LINES:
                return None
            ends += cell.count("\n")
        if text.count("\n") + 1 != len(rows) + ends:  # another cell has several lines
            return None
        if self._is_head:
            self._is_head = False
            del rows[0]
        return rows

    def rest(self) -> Iterator[Batch]:
        """Yield what is left of a row that isn't complete at the end of the file."""
        while self._open:
            yield self._batch(self._fitting(list(self._reread())))

    def _batch(self, rows: Sequence[list[str]]) -> Batch:
        column, author = self._layout.column, self._author
        authors = None if author is None else [row[author] for row in rows]
        return batch_of([row[column] for row in rows], authors)

    def _fitting(self, rows: Sequence[tuple[int, list[str]]]) -> list[list[str]]:
        """Return the rows with as many cells as the first one has, and count the others as bad.

        Tabs hardly occur in names and numbers. So if a row has too many cells and tabs between them, the text has tabs.
        """
        width, column = self._layout.width, self._layout.column
        delimiter = self._layout.delimiter
        fitting = []
        for number, row in rows:
            if self._is_head:
                self._is_head = False
                continue
            more = len(row) - width
            if more > 0 and delimiter == "\t":
                row[column : column + more + 1] = ["\t".join(row[column : column + more + 1])]
            elif more:
                why = "put posts with a delimiter or a line break in quotes"
                self._bad.add(number, f"{counted(len(row), 'cell')} instead of {width}; {why}", delimiter.join(row))
                continue
            fitting.append(row)
        return fitting

    def _quoted(self, lines: Lines) -> Iterator[tuple[int, list[str]]]:
        delimiter, inner = self._layout.delimiter, self._inner
        number = lines.number
        for line in lines.text.split("\n"):
            if self._open:
                yield from self._continued(line)
            elif '"' in line and (line[0] == '"' or inner in line):
                yield from self._begun(number, line)
            elif line:
                yield number, line.split(delimiter)
            number += 1

    def _begun(self, number: int, line: str) -> Iterator[tuple[int, list[str]]]:
        try:
            row = _row(line, self._layout.delimiter)
        except csv.Error:
            row = self._as_it_is(line)
        if row is None:
            self._open, self._number = [line], number
        else:
            yield number, row

    def _continued(self, line: str) -> Iterator[tuple[int, list[str]]]:
        self._open.append(line)
        try:
            # Only a quote can close the row, so other lines need no look.
            row = _row("\n".join(self._open), self._layout.delimiter) if '"' in line else None
            was_closed = row is not None
        except csv.Error:
            row, was_closed = None, True
        if row is not None and not self._are_rows(self._open):
            self._open = []
            yield self._number, row
        elif was_closed or len(self._open) > MAX_LINES or sum(map(len, self._open)) > _LIMIT:
            yield from self._reread()

    def _are_rows(self, lines: Sequence[str]) -> bool:
        """Return whether each line is a row by itself. Then the quotes in two of them have nothing in common.

        Only tabs can tell. There are commas in all kinds of cells.
        """
        cells = self._layout.width
        return self._layout.delimiter == "\t" and cells > 1 and all(line.count("\t") == cells - 1 for line in lines)

    def _as_it_is(self, line: str) -> list[str]:
        """Return the cells of a line in which text follows a closed quote: it's either no quote or isn't doubled."""
        row = line.split(self._layout.delimiter)
        if len(row) != self._layout.width:
            with suppress(csv.Error):
                return next(csv.reader([line], delimiter=self._layout.delimiter))
        return row

    def _reread(self) -> Iterator[tuple[int, list[str]]]:
        """Take the quote in the first open line for a character, and read the lines after it again."""
        lines, number = self._open, self._number
        self._open = []
        yield number, lines[0].split(self._layout.delimiter)
        if len(lines) > 1:
            yield from self._quoted(Lines(number + 1, "\n".join(lines[1:])))


def _row(text: str, delimiter: str) -> list[str] | None:
    """Return the cells, or None if a quote is open at the end. Raises csv.Error if text follows a closed quote."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "end of data" in str(error):
            return None
        raise
