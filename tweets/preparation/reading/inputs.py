"""Tell what an input is, and read it in batches."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

from tweets.preparation.batch import Batch
from tweets.preparation.errors import PreparationError
from tweets.preparation.reading import archives, lines, objects, tables
from tweets.preparation.reading.bad_lines import BadLines
from tweets.preparation.reading.packed import ENDINGS, Meter, Packed
from tweets.preparation.recipe import Recipe
from tweets.sources.reading.tables import DELIMITERS


class Format(StrEnum):
    """What an input is. The values are what people write after --format."""

    TABLE = "table"
    LINES = "lines"
    JSONL = "jsonl"
    JSON = "json"
    PARQUET = "parquet"
    X_ARCHIVE = "x_archive"


_BY_ENDING: Final = {
    ".tsv": Format.TABLE,
    ".tab": Format.TABLE,
    ".csv": Format.TABLE,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSON,
    ".parquet": Format.PARQUET,
    ".zip": Format.X_ARCHIVE,
    ".js": Format.X_ARCHIVE,
}
_TABS: Final = frozenset({".tsv", ".tab"})
_HEAD: Final = 1 << 16
_SAMPLE: Final = 200  # lines


def format_of(path: Path) -> Format:
    """Return the format, by the name of the file or, if that doesn't help, by its beginning."""
    endings = [ending.lower() for ending in path.suffixes]
    ending = next((ending for ending in reversed(endings) if ending not in ENDINGS), "")
    if ending in _BY_ENDING:
        return _BY_ENDING[ending]
    with Packed(path, _unmeasured) as source:
        head = source.read(_HEAD)
    if head.startswith(b"PAR1"):
        return Format.PARQUET
    if head.startswith(b"PK\x03\x04"):
        return Format.X_ARCHIVE
    if ending not in (".txt", ".text"):
        if head.lstrip().startswith(b"{"):
            return Format.JSONL
        if head.lstrip().startswith(b"["):
            return Format.JSON
    # Posts hardly ever contain tabs, and never the same number in each line.
    whole = head.split(b"\n")[:-1][:_SAMPLE]
    tabs = {line.count(b"\t") for line in whole if line}
    return Format.TABLE if len(tabs) == 1 and min(tabs) > 0 and len(whole) > 1 else Format.LINES


def batches(path: Path, kind: Format, recipe: Recipe, bad: BadLines, meter: Meter) -> Iterator[Batch]:
    """Yield the posts of an input."""
    bad.begin(str(path))
    if kind is Format.X_ARCHIVE:
        yield from archives.batches(path, meter)
        return
    if kind is Format.PARQUET:
        from tweets.preparation.reading import parquet

        yield from parquet.batches(path, recipe, meter)
        return
    with Packed(path, meter) as source:
        try:
            yield from _of_text(source, path, kind, recipe, bad)
        except PreparationError as error:
            if str(path) in str(error):
                raise
            raise PreparationError(f"{path}: {error}") from error
        except UnicodeError as error:
            message = f"{path}: This isn't text in {recipe.encoding}. Name its encoding with --encoding."
            raise PreparationError(message) from error


def _of_text(source: Packed, path: Path, kind: Format, recipe: Recipe, bad: BadLines) -> Iterator[Batch]:
    records = objects.Objects(bad, recipe.text_column, recipe.author_column)
    if kind is Format.JSON:
        yield from objects.batches_of_list(source, recipe.encoding, records, str(path))
        return
    found = lines.lines_of(source, recipe.encoding, bad)
    if kind is Format.LINES:
        yield from lines.batches(found)
    elif kind is Format.JSONL:
        yield from objects.batches_of_lines(found, records, bad)
    else:
        delimiters = "\t" if not _TABS.isdisjoint(map(str.lower, path.suffixes)) else DELIMITERS
        columns = tables.Columns(recipe.text_column, recipe.author_column, delimiters)
        yield from tables.batches(found, bad, columns)


def _unmeasured(size: int) -> None:
    """Count nothing."""
