"""Posts on disk between the first look and the last, in folders of files by their key.

A file holds the posts of a range of keys. So all duplicates of a post are in one file, and the files one after the
other have all posts in the order of their keys. A range that is too large for the memory is divided again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Self

import numpy as np

from tweets.preparation.records import Records, record_type

_BITS: Final = 6
#: A process opens twice as many files as there are ranges. macOS allows 256 of them.
RANGES: Final = 1 << _BITS
#: A file of texts above this is divided.
MAX_BYTES: Final = 64_000_000
_MAX_DEPTH: Final = 64 // _BITS
_BLOCK: Final = 20_000  # records


@dataclass(frozen=True, slots=True)
class Bucket:
    """The posts of one range of keys."""

    path: Path  # without its ending
    depth: int
    near: bool

    @property
    def size(self) -> int:
        """Return the bytes of its texts."""
        return self._texts.stat().st_size

    @property
    def _texts(self) -> Path:
        return self.path.with_suffix(".texts")

    @property
    def _records(self) -> Path:
        return self.path.with_suffix(".records")

    def records(self) -> Records:
        """Return the records as they were added."""
        return np.fromfile(self._records, record_type(near=self.near))

    def texts(self, records: Records) -> list[bytes]:
        """Return the texts of these records, which are all of the bucket's."""
        joined = self._texts.read_bytes()
        ends = np.cumsum(records["size"], dtype=np.int64).tolist()
        return [joined[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def blocks(self) -> Iterator[tuple[Records, bytes]]:
        """Yield the records and texts some at a time."""
        kind = record_type(near=self.near)
        with self._records.open("rb") as records, self._texts.open("rb") as texts:
            while block := records.read(_BLOCK * kind.itemsize):
                some = np.frombuffer(block, kind)
                yield some, texts.read(int(some["size"].sum()))

    def remove(self) -> None:
        """Delete the files."""
        self._records.unlink()
        self._texts.unlink()


class Spool:
    """Files to which posts are added, which becomes buckets."""

    def __init__(self, folder: Path, *, near: bool, depth: int = 0) -> None:
        folder.mkdir(parents=True)
        self._shift = np.uint64(64 - _BITS * (depth + 1))
        self._buckets = [Bucket(folder / f"{number:02}", depth, near) for number in range(RANGES)]
        self._files: list[tuple[IO[bytes], IO[bytes]]] = []

    def __enter__(self) -> Self:
        for bucket in self._buckets:
            names = bucket.path.with_suffix(".records"), bucket.path.with_suffix(".texts")
            records, texts = (name.open("wb", buffering=1 << 17) for name in names)
            self._files.append((records, texts))
        return self

    def __exit__(self, *_: object) -> None:
        for files in self._files:
            for file in files:
                file.close()

    def add(self, records: Records, texts: bytes) -> None:
        """Add posts, sorted by key. Only those whose keys have the higher bits of this spool can be there."""
        ranges = (records["key"] >> self._shift) & np.uint64(RANGES - 1)
        borders = np.searchsorted(ranges, np.arange(RANGES + 1, dtype=np.uint64))
        at = np.concatenate([[0], np.cumsum(records["size"], dtype=np.int64)])[borders].tolist()
        view = memoryview(texts)
        for number, (start, end) in enumerate(zip(borders.tolist(), borders[1:].tolist(), strict=False)):
            if start < end:
                to_records, to_texts = self._files[number]
                to_records.write(records[start:end].tobytes())
                to_texts.write(view[at[number] : at[number + 1]])

    def buckets(self) -> Iterator[Bucket]:
        """Yield the buckets with posts in the order of their keys, each small enough for the memory."""
        for bucket in self._buckets:
            if bucket.size > MAX_BYTES and bucket.depth + 1 < _MAX_DEPTH:
                yield from _divided(bucket)
            elif bucket.size:
                yield bucket


def _divided(bucket: Bucket) -> Iterator[Bucket]:
    with Spool(bucket.path, near=bucket.near, depth=bucket.depth + 1) as spool:
        for records, texts in bucket.blocks():
            order = np.argsort(records["key"], kind="stable")
            ends = np.cumsum(records["size"], dtype=np.int64)
            starts = ends - records["size"]
            places = zip(starts[order].tolist(), ends[order].tolist(), strict=True)
            spool.add(records[order], b"".join([texts[start:end] for start, end in places]))
    bucket.remove()
    yield from spool.buckets()
