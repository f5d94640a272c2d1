"""Turn a bucket into its part of the output: without duplicates, in order, split and compressed."""

from __future__ import annotations

import gzip
import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tweets.cleaning.rules import Duplicates
from tweets.preparation.recipe import Packing, Recipe
from tweets.preparation.records import chosen
from tweets.preparation.spool import Bucket

PARTS: Final = ("train", "validation", "test")
_GZ_LEVEL: Final = 1  # 5 % larger than the default level, in a third of the time
_XZ_PRESET: Final = 6


@dataclass(frozen=True, slots=True)
class Size:
    """How much of a part there is. `bytes` and `characters` are without compression and with the ends of the lines."""

    posts: int = 0
    characters: int = 0
    bytes: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(self.posts + other.posts, self.characters + other.characters, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class Finished:
    """A bucket's share of each part, ready to be appended to the files, and how many posts were dropped."""

    contents: tuple[bytes, ...]
    sizes: tuple[Size, ...]
    duplicates: int
    near: int


def finish(bucket: Bucket, recipe: Recipe, near: Path | None) -> Finished:
    """Finish a bucket. `near` is the file of keys that are nearly the same as another one."""
    records = bucket.records()
    texts = bucket.texts(records)
    order = chosen(records, texts, repeats=recipe.rules.duplicates is Duplicates.KEEP)
    duplicates = len(records) - len(order)
    dropped = 0
    if near is not None:
        is_near = np.isin(records["key"][order], np.load(near, mmap_mode="r"))
        dropped = int(is_near.sum())
        order = order[~is_near]
    parts = part_of(records["who"][order], recipe.shares)
    contents, sizes = [], []
    for number in range(len(PARTS)):
        chosen_texts = [texts[place] for place in order[parts == number].tolist()]
        text = b"\n".join([*chosen_texts, b""])
        contents.append(packed(text, recipe.packing) if text else b"")
        sizes.append(Size(len(chosen_texts), _characters(text), len(text)))
    return Finished(tuple(contents), tuple(sizes), duplicates, dropped)


def part_of(who: NDArray[np.uint64], shares: tuple[int, int, int]) -> NDArray[Any]:
    """Return the number of the part of each hash: 0 for the first `shares[0]` percent of all hashes, and so on."""
    hundredth = np.uint64((1 << 64) // 100 + 1)
    return np.searchsorted(np.cumsum(shares), who // hundredth, side="right")


def packed(text: bytes, packing: Packing) -> bytes:
    """Return the text as a compressed file. Several of these one after the other are one file, too."""
    if packing is Packing.NONE:
        return text
    if packing is Packing.GZ:
        return gzip.compress(text, _GZ_LEVEL, mtime=0)
    return lzma.compress(text, preset=_XZ_PRESET)


def _characters(text: bytes) -> int:
    codes = np.frombuffer(text, np.uint8)
    return int(np.count_nonzero((codes & 0xC0) != 0x80))
