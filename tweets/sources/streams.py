"""Bytes and text of files that people give us: counted while reading, gzip undone, encoding found."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from tweets.sources.base import BadFile, FileTooLarge
from tweets.sources.zip_files import BadZip

CHUNK = 1 << 16
LONGEST_LINE = 1_000_000  # characters
_GZIP = b"\x1f\x8b"
# Bytes that no text holds, whatever its encoding (UTF-16 apart, which its byte order mark gives away).
_BINARY = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1b")


class Readable(Protocol):
    """All that is needed of a file here."""

    def read(self, size: int = -1, /) -> bytes: ...


class Closable(Readable, Protocol):
    def close(self) -> None: ...


class Counted(io.RawIOBase):
    """Reads like `source` until `limit` bytes have come out, then raises FileTooLarge: a bomb goes off no further."""

    def __init__(self, source: Closable, limit: int) -> None:
        super().__init__()
        self._source = source
        self._left = limit
        self._limit = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        try:
            data = self._source.read(min(len(buffer), CHUNK))
        except (EOFError, OSError, zlib.error, BadZip):
            raise BadFile(
                "The compressed file is cut short or damaged. Pack it again and upload it once more."
            ) from None
        self._left -= len(data)
        if self._left < 0:
            raise FileTooLarge(
                f"The file holds more than {self._limit / 1_000_000:,.0f} MB. Upload only the newest posts."
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._source.close()
        super().close()


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

    A byte order mark decides; else UTF-8 if all of it is UTF-8, or nearly all (one torn character must not turn every
    emoji into rubbish); else cp1252, which Excel on Windows writes. Raises BadFile for what is not text.
    """
    with open_bytes(path, limit) as source:
        head = source.peek(CHUNK)[:4]
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16", "replace"
        decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        wrong = foreign = binary = size = 0
        for chunk in iter(lambda: source.read(CHUNK), b""):
            text = decoder.decode(chunk)
            wrong += text.count("\ufffd")
            foreign += len(text) - len(text.encode("ascii", "ignore"))
            binary += len(chunk) - len(chunk.translate(None, _BINARY))
            size += len(chunk)
        wrong += len(decoder.decode(b"", True))
    if binary * 100 > size:
        raise BadFile("The file does not look like text. Upload posts as .txt, .csv, .jsonl or .json in UTF-8.")
    return ("cp1252", "replace") if wrong * 10 > foreign - wrong else ("utf-8-sig", "replace")


def open_text(path: Path, limit: int, newline: str | None = None) -> io.TextIOWrapper:
    """The content of the file as text; see `find_encoding`."""
    encoding, errors = find_encoding(path, limit)
    return io.TextIOWrapper(open_bytes(path, limit), encoding=encoding, errors=errors, newline=newline)


def lines(source: io.TextIOBase, longest: int) -> Iterator[str]:
    """Yields the lines with their ends. Raises BadFile at a line of over `longest` characters: memory stays flat."""
    number = 0
    while line := source.readline(longest + 1):
        number += 1
        if len(line) > longest:
            raise BadFile(f"Line {number} is longer than {longest:,} characters. Put each post on a line of its own.")
        yield line
