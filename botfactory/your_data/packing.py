"""Write a ZIP piece by piece, with the SHA-256 of each file. It needs neither a file on disk nor more memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO, Final, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from botfactory.your_data.form import File

#: Pieces are passed on at about this size.
_PIECE: Final = 1 << 16


class _Out:
    """A file that can only be written to; `take` returns what was written since the last call."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: the reader takes what there is."""

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts, self.size = [], 0
        return taken


class Packer:
    """A ZIP that is written and read at once. Use up each iterator before you call the next method."""

    def __init__(self, at: datetime) -> None:
        self._out = _Out()
        self._zip = ZipFile(cast(IO[bytes], self._out), "w")
        self._date = (at.year, at.month, at.day, at.hour, at.minute, at.second)
        #: What has been added.
        self.files: list[File] = []

    def add(self, name: str, content: Iterable[bytes], *, is_packed: bool = False) -> Iterator[bytes]:
        """Add a file and yield the pieces of the ZIP. `is_packed`: it can't be made smaller."""
        entry = ZipInfo(name, self._date)
        entry.compress_type = ZIP_STORED if is_packed else ZIP_DEFLATED
        entry.external_attr = 0o644 << 16
        digest, size = hashlib.sha256(), 0
        with self._zip.open(entry, "w", force_zip64=True) as file:
            for piece in content:
                digest.update(piece)
                size += len(piece)
                file.write(piece)
                if self._out.size >= _PIECE:
                    yield self._out.take()
        self.files.append(File(name=name, size=size, sha256=digest.hexdigest()))
        yield self._out.take()

    def close(self) -> Iterator[bytes]:
        """Yield the end of the ZIP."""
        self._zip.close()
        yield self._out.take()
