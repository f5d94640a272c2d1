"""Read uploaded files as bytes and text, unpacked and with a limit."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from botfactory.files.zip_files import BadZip
from botfactory.words.translatable import mark
from tweets.sources.base import BadFile, FileTooLarge

CHUNK = 1 << 16
LONGEST_LINE = 1_000_000  # characters
_GZIP = b"\x1f\x8b"


class Readable(Protocol):
    """What this module needs of a file."""

    def read(self, size: int = -1, /) -> bytes: ...


class Closable(Readable, Protocol):
    def close(self) -> None: ...


class Counted(io.RawIOBase):
    """Read like `source`, but raise FileTooLarge after `limit` bytes, so that a zip bomb does no harm."""

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
                mark("The compressed file is incomplete or damaged. Compress it again, then upload it again.")
            ) from None
        self._left -= len(data)
        if self._left < 0:
            raise FileTooLarge(
                mark("The file is larger than %(most)s MB. Upload only the newest posts."),
                most=self._limit // 1_000_000,
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._source.close()
        super().close()


def open_bytes(path: Path, limit: int) -> io.BufferedReader:
    """Return the content of the file, unpacked if it's gzipped. Reading raises FileTooLarge after `limit` bytes."""
    try:
        source: IO[bytes] = path.open("rb")
    except OSError:
        raise BadFile(mark("The uploaded file no longer exists. Upload it again.")) from None
    if source.read(2) == _GZIP:
        source.seek(0)
        return io.BufferedReader(Counted(gzip.GzipFile(fileobj=source), limit), CHUNK)
    source.seek(0)
    return io.BufferedReader(Counted(source, limit), CHUNK)


def lines(source: io.TextIOBase, longest: int) -> Iterator[str]:
    """Yield the lines with their ends. Raises BadFile at a line of over `longest` characters, to save memory."""
    number = 0
    while line := source.readline(longest + 1):
        number += 1
        if len(line) > longest:
            said = mark("Line %(number)s is longer than %(most)s characters. Put each post on its own line.")
            raise BadFile(said, number=number, most=longest)
        yield line
