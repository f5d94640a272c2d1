"""Whole lines of a file as text, some megabytes at a time."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tweets.preparation.batch import Batch, batch_of
from tweets.preparation.errors import PreparationError
from tweets.preparation.reading.bad_lines import BadLines
from tweets.preparation.reading.packed import CHUNK, Packed

MAX_LINE: Final = 16_000_000  # bytes
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins the same way
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines, without an end after the last one. `number` is that of the first."""

    number: int
    text: str


def lines_of(source: Packed, encoding: str, bad: BadLines) -> Iterator[Lines]:
    """Yield all lines of the file. A line that isn't text in this encoding is counted and left empty.

    A byte order mark overrides the encoding.
    """
    first = source.read(CHUNK)
    encoding = next((name for mark, name in _MARKS if first.startswith(mark)), encoding)
    first = first.removeprefix(codecs.BOM_UTF8)
    chunks = _chunks(source, first)
    if encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32")):
        chunks, encoding = _transcoded(chunks, encoding), "utf-8"
    number = 1
    for block in _whole_lines(chunks):
        try:
            text = block.decode(encoding)
        except UnicodeError:
            text = "\n".join(_decoded(line, number + at, encoding, bad) for at, line in enumerate(block.split(b"\n")))
        yield Lines(number, text.replace("\r\n", "\n").removesuffix("\r"))
        number += text.count("\n") + 1


def batches(source: Iterator[Lines]) -> Iterator[Batch]:
    """Yield the posts of a file in which each line is a post."""
    for lines in source:
        yield batch_of([line for line in lines.text.split("\n") if line])


def _chunks(source: Packed, first: bytes) -> Iterator[bytes]:
    while first:
        yield first
        first = source.read(CHUNK)


def _transcoded(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the same text in UTF-8. In wide encodings, a line doesn't end at a single byte."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "replace")
    yield decoder.decode(b"", True).encode("utf-8", "replace")


def _whole_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the chunks cut at ends of lines, which are left out."""
    rest: list[bytes] = []
    size = 0
    for chunk in chunks:
        head, end, tail = chunk.rpartition(b"\n")
        if end:
            yield b"".join([*rest, head])
            rest, size = [], 0
        rest.append(tail)
        size += len(tail)
        if size > MAX_LINE:
            raise PreparationError(
                f"A line is longer than {MAX_LINE // 1_000_000} MB, so this isn't a file with a post on each line. "
                "Name its format with --format."
            )
    if size:
        yield b"".join(rest)


def _decoded(line: bytes, number: int, encoding: str, bad: BadLines) -> str:
    try:
        return line.decode(encoding)
    except UnicodeError:
        bad.add(number, f"not text in {encoding}; name its encoding with --encoding", line.decode("latin-1"))
        return ""
