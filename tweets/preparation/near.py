"""Find posts that are nearly the same as another one, across all buckets.

Posts with a band in common are candidates. Their letters are compared, as `tweets.cleaning.duplicates` does it. In the
order of the keys, a post is dropped if it's nearly the same as one before it that is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tweets.cleaning.duplicates import BANDS, SIMILAR, similarity
from tweets.preparation.likeness import Keys, looks_of
from tweets.preparation.spool import MAX_BYTES, Bucket

#: A band and the key of a post with it.
_BAND: Final = np.dtype([("band", "<u8"), ("key", "<u8")])
#: Pairs of keys that one task compares.
PORTION: Final = 20_000

Pairs = NDArray[np.uint64]  # (pairs, 2), the smaller key first


class Bands:
    """The bands of all posts, in files by their first bits."""

    def __init__(self, folder: Path, posts: int) -> None:
        """Prepare for the bands of this many posts: each file is to fit into the memory."""
        folder.mkdir(parents=True)
        self._bits = max(2, (posts * BANDS * _BAND.itemsize // MAX_BYTES).bit_length())
        self.paths = [folder / f"{number:05}.bands" for number in range(1 << self._bits)]
        for path in self.paths:
            path.touch()

    def add(self, bands: NDArray[Any]) -> None:
        """Add what `bands_in` returned."""
        ranges = bands["band"] >> np.uint64(64 - self._bits)
        order = np.argsort(ranges, kind="stable")
        borders = np.searchsorted(ranges[order], np.arange(len(self.paths) + 1, dtype=np.uint64)).tolist()
        for path, start, end in zip(self.paths, borders, borders[1:], strict=False):
            if start < end:
                with path.open("ab") as file:
                    file.write(bands[order[start:end]].tobytes())


def bands_in(bucket: Bucket) -> NDArray[Any]:
    """Return the bands of the bucket's posts, without those of duplicates."""
    records = bucket.records()
    keys, places = np.unique(records["key"], return_index=True)
    bands = records["bands"][places]
    is_long = bands.any(axis=1)
    found = np.empty((int(is_long.sum()), bands.shape[1]), _BAND)
    found["band"] = bands[is_long]
    found["key"] = keys[is_long, np.newaxis]
    return found.reshape(-1)


def candidates(path: Path) -> Pairs:
    """Return the pairs of posts in a file of `Bands` that have a band in common."""
    bands = np.fromfile(path, _BAND)
    bands = bands[np.lexsort((bands["key"], bands["band"]))]
    same = bands["band"][1:] == bands["band"][:-1]
    # Each with the one before, and with the first of all that have the band.
    first = np.arange(len(bands))
    first[1:][same] = 0
    first = np.maximum.accumulate(first)
    later = np.flatnonzero(same) + 1
    keys = bands["key"]
    both = np.concatenate([np.stack([keys[later - 1], keys[later]], 1), np.stack([keys[first[later]], keys[later]], 1)])
    pairs: Pairs = np.unique(both, axis=0)
    return pairs


@dataclass(frozen=True, slots=True)
class Letters:
    """The letters of the posts in pairs, in a file: `keys` are sorted, `ends` are the ends of each in the file."""

    path: Path
    keys: Path
    ends: Path

    @classmethod
    def written(cls, folder: Path, found: Iterable[tuple[Keys, list[int], bytes]], step: Callable[[], None]) -> Letters:
        """Write what `letters_in` returned for each bucket, in their order, and call `step` after each."""
        letters = cls(folder / "letters.txt", folder / "letters.keys.npy", folder / "letters.ends.npy")
        keys, sizes = [], []
        with letters.path.open("wb") as file:
            for some, lengths, text in found:
                file.write(text)
                keys.append(some)
                sizes.append(np.array(lengths, np.int64))
                step()
        np.save(letters.keys, np.concatenate(keys))
        np.save(letters.ends, np.cumsum(np.concatenate(sizes)))
        return letters

    def of(self, wanted: Keys) -> list[str]:
        """Return the letters of the posts with these keys."""
        keys, ends = np.load(self.keys, mmap_mode="r"), np.load(self.ends, mmap_mode="r")
        places = np.searchsorted(keys, wanted)
        texts = []
        with self.path.open("rb") as file:
            for place in places.tolist():
                start = int(ends[place - 1]) if place else 0
                file.seek(start)
                texts.append(file.read(int(ends[place]) - start).decode("utf-8"))
        return texts


def letters_in(bucket: Bucket, wanted: Keys) -> tuple[Keys, list[int], bytes]:
    """Return the letters of the bucket's posts with these keys: (keys, sizes in bytes, joined)."""
    records = bucket.records()
    texts = bucket.texts(records)
    keys, places = np.unique(records["key"], return_index=True)
    chosen = np.isin(keys, wanted)
    letters = [text.encode() for text in looks_of([texts[place].decode() for place in places[chosen].tolist()]).letters]
    return keys[chosen], list(map(len, letters)), b"".join(letters)


def similar(pairs: Pairs, letters: Letters) -> Pairs:
    """Return those of the pairs that are nearly the same."""
    one, other = letters.of(pairs[:, 0]), letters.of(pairs[:, 1])
    near = [_are_similar(*both) for both in zip(one, other, strict=True)]
    found: Pairs = pairs[np.array(near, bool)]
    return found


def _are_similar(one: str, other: str) -> bool:
    short, long = sorted((len(one), len(other)))
    return short >= SIMILAR * long and similarity(one, other) >= SIMILAR


def to_drop(pairs: Pairs) -> Keys:
    """Return the keys of the posts to drop, sorted."""
    dropped: set[int] = set()
    for earlier, later in pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))].tolist():
        if earlier not in dropped:
            dropped.add(later)
    return np.array(sorted(dropped), np.uint64)
