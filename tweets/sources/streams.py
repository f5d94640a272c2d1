"""Bytes and text of files that people give us: size counted while reading, gzip undone, encoding found, JSON made safe."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from tweets.sources.base import BadFile, FileTooLarge

CHUNK = 1 << 16
_GZIP = b"\x1f\x8b"


class Readable(Protocol):
    """All that is needed of a file here."""

    def read(self, size: int = -1, /) -> bytes: ...


class Counted(io.RawIOBase):
    """Reads like `source` until `limit` bytes have come out, then raises FileTooLarge: a gzip or zip bomb stops there."""

    def __init__(self, source: Readable, limit: int) -> None:
        super().__init__()
        self._source = source
        self._left = limit
        self._limit = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        try:
            data = self._source.read(min(len(buffer), CHUNK))
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise BadFile("The compressed file is cut short or damaged. Compress it again and upload it once more.") from None
        self._left -= len(data)
        if self._left < 0:
            raise FileTooLarge(
                f"The file holds more than {self._limit / 1_000_000:,.0f} MB of text. Keep the newest posts and upload those."
            )
        buffer[: len(data)] = data
        return len(data)


def open_bytes(path: Path, limit: int) -> io.BufferedReader:
    """The content of the file, gzip undone. Reading raises FileTooLarge after `limit` bytes of content."""
    try:
        source: IO[bytes] = path.open("rb")
    except OSError:
        raise BadFile("The uploaded file is no longer there. Upload it again.") from None
    if source.read(2) == _GZIP:
        source.seek(0)
        return io.BufferedReader(Counted(gzip.GzipFile(fileobj=source), limit), CHUNK)
    source.seek(0)
    return io.BufferedReader(Counted(source, limit), CHUNK)


def find_encoding(path: Path, limit: int) -> tuple[str, str]:
    """The (encoding, errors) to read the whole file with.

    A byte order mark decides; else UTF-8 if all of it is UTF-8, or nearly all (one torn character must not turn every emoji
    into rubbish); else cp1252, which Excel on Windows writes. Raises BadFile for what is not text.
    """
    with open_bytes(path, limit) as source:
        head = source.peek(CHUNK)[:4]
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16", "replace"
        decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        wrong = other = nul = size = 0
        for chunk in iter(lambda: source.read(CHUNK), b""):
            size += len(chunk)
            nul += chunk.count(0)
            if chunk.isascii():
                continue
            text = decoder.decode(chunk)
            wrong += text.count("\ufffd")
            other += sum(1 for _ in re.finditer(r"[^\x00-\x7f\ufffd]", text))
        wrong += len(decoder.decode(b"", True))
    if nul * 100 > size:
        raise BadFile("The file does not look like text. Upload posts as .txt, .csv, .jsonl or .json in UTF-8.")
    return ("cp1252", "replace") if wrong * 10 > other else ("utf-8-sig", "replace")


def open_text(path: Path, limit: int, newline: str | None = None) -> io.TextIOWrapper:
    """The content of the file as text; see `find_encoding`."""
    encoding, errors = find_encoding(path, limit)
    return io.TextIOWrapper(open_bytes(path, limit), encoding=encoding, errors=errors, newline=newline)


def lines(source: io.TextIOBase, longest: int) -> Iterator[str]:
    """Yields the lines with their ends. Raises BadFile at a line of more than `longest` characters: memory stays flat."""
    number = 0
    while line := source.readline(longest + 1):
        number += 1
        if len(line) > longest:
            raise BadFile(
                f"Line {number} is longer than {longest:,} characters. Put each post on a line of its own and upload it again."
            )
        yield line


class Encoded:
    """Text read as UTF-8 bytes, which is what the JSON parser takes."""

    def __init__(self, source: io.TextIOBase) -> None:
        self._source = source

    def read(self, size: int = -1, /) -> bytes:
        return self._source.read(size).encode("utf-8", "replace")


_ESCAPE = re.compile(
    rb"\\(?:[uU][dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.S
)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_UNIT = re.compile(rb"\\u[0-9a-fA-F]{4}\Z")


class WithoutLoneSurrogates:
    """Reads like `source`, JSON escapes of lone surrogates ("\\ud83d" without its half) left out.

    The C parser behind ijson turns those into wrong characters or dies of a UnicodeDecodeError for the whole file.
    """

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._carry = b""

    def read(self, size: int = -1, /) -> bytes:
        if size == 0:  # ijson asks so to learn whether bytes or text come
            return b""
        while True:
            chunk = self._source.read(CHUNK)
            data = self._carry + chunk
            cut = len(data) if not chunk else _escape_boundary(data)
            self._carry = data[cut:]
            data = data[:cut]
            if data or not chunk:
                return _ESCAPE.sub(_keep_whole, data) if _SURROGATE.search(data) else data


def _keep_whole(escape: re.Match[bytes]) -> bytes:
    return b"" if escape.group(1) else escape.group()


def _escape_boundary(data: bytes) -> int:
    """A place near the end of `data` where no escape, nor pair of escapes, is open."""
    cut = data.find(b"\\", max(0, len(data) - 12))
    if cut < 0:
        return len(data)
    while True:
        start = cut
        while start and data[start - 1 : start] == b"\\":
            start -= 1
        if cut - start > 64:  # a run of backslashes: each two of them are one escape, so an even place is a boundary
            return start + (cut - start) // 2 * 2 - 2
        if not _UNIT.search(data, max(0, start - 6), start):
            return start
        cut = start - 6
