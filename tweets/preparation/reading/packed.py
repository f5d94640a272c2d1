"""Open files that may be compressed. Their first bytes say how, whatever their name says."""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from pathlib import Path
from typing import IO, Any, Final, Protocol

from tweets.preparation.errors import PreparationError
from tweets.sources.reading.streams import Closable

GZIP, XZ, ZSTD = b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"
ENDINGS: Final = (".gz", ".xz", ".zst")
CHUNK: Final = 1 << 22


class Meter(Protocol):
    """Is told how many bytes of the inputs were read, and can end the preparation by raising an error."""

    def __call__(self, size: int, /) -> None: ...


class Measured(io.RawIOBase):
    """A file that tells the meter how much of it was read."""

    def __init__(self, path: Path, meter: Meter) -> None:
        super().__init__()
        self._meter = meter
        try:
            self._file: IO[bytes] = path.open("rb", buffering=0)
        except OSError as error:
            raise PreparationError(f"We can't open {path} ({error.strerror}). Check the name.") from error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        count: int = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self._meter(count)
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


class Packed:
    """The unpacked bytes of a file."""

    def __init__(self, path: Path, meter: Meter) -> None:
        self._path = path
        raw: io.BufferedReader[Any] = io.BufferedReader(Measured(path, meter), 1 << 18)
        self._file = _unpacked(raw)
        self._read = 0

    def __enter__(self) -> Packed:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int = CHUNK, /) -> bytes:
        """Return up to `size` bytes, b"" at the end. Raises PreparationError for a damaged file."""
        try:
            data: bytes = self._file.read(size)
        except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            # The machine's own errors have a number. Those of damaged content don't.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise PreparationError(
                f"{self._path} is incomplete or damaged after {self._read:,} unpacked bytes. Compress or download it "
                "again."
            ) from error
        self._read += len(data)
        return data


def _unpacked(raw: io.BufferedReader[Any]) -> Closable:
    head = raw.peek(8)[:8]
    if head.startswith(GZIP):
        return gzip.GzipFile(fileobj=raw)
    if head.startswith(XZ):
        return lzma.LZMAFile(raw)
    if head.startswith(ZSTD):
        from backports.zstd import ZstdFile  # late: few files are packed so

        return ZstdFile(raw)
    return raw
