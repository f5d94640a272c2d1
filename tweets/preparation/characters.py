"""What every character is, as a table, so that NumPy can look at many posts at once."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Bits of the table. A class of `re` is meant by the last three.
WILD: Final = 1  # cleaning may change the character, or combine it with its neighbours
MARKED: Final = 2  # a sign of something that cleaning may change or that only few posts have
KEYLIKE: Final = 4  # what API tokens are made of
DIGIT: Final = 8  # what any part of Python takes for a digit
LETTER: Final = 16  # [^\W\d_]
WORD: Final = 32  # \w
END: Final = 64  # the mark between posts

#: Between two posts, before the first one and after the last. No post contains it.
MARK: Final = "\x00"
_MARKED: Final = "&/…＠\n\t"
_KEYLIKE: Final = re.compile(r"[A-Za-z0-9_.+/=-]+")
#: Characters without a shape of their own, in many emoji. Cleaning leaves them alone.
_JOINERS: Final = "\u200d\ufe0f"
#: Spaces that cleaning replaces by plain ones, or by nothing.
_BREAKS: Final = "\n\t"
#: Signs that cleaning removes, and two letters that are "k" and "s" where case doesn't count.
_REPLACED: Final = {*range(0xFFF9, 0x10000), 0x212A, 0x17F}
#: From here on, code points always get a closer look.
_RARE: Final = 0x20000

Codes = NDArray[Any]  # uint8 or uint32
Bits = NDArray[np.uint8]
Places = NDArray[np.intp]


class Block:
    """Posts as one array. `codes`: (characters,); `bits`: the same from the table; `starts`, `ends`: (posts,).

    A few thousand posts fit into the processor's cache. If all are ASCII, a character takes one byte instead of four.
    """

    __slots__ = ("bits", "codes", "encoded", "ends", "is_ascii", "joined", "starts")

    def __init__(self, texts: Sequence[str]) -> None:
        """Take posts without MARK in them; at least one."""
        self.joined = MARK + MARK.join(texts) + MARK
        self.encoded = self.joined.encode("utf-8", "surrogatepass")
        self.codes: Codes
        self.bits: Bits
        self.is_ascii = len(self.encoded) == len(self.joined)
        if self.is_ascii:
            self.codes = np.frombuffer(self.encoded, np.uint8)
            self.bits = np.frombuffer(self.encoded.translate(_ascii_table()), np.uint8)
        else:
            self.codes = np.frombuffer(self.joined.encode("utf-32-le", "surrogatepass"), np.uint32)
            self.bits = table()[self.codes]
        marks = np.flatnonzero(self.codes == 0)
        self.starts, self.ends = marks[:-1] + 1, marks[1:]

    def posts_at(self, places: Places) -> Places:
        """Return the numbers of the posts at these places of `codes`. The mark after a post counts as the post's."""
        return np.searchsorted(self.ends, places)

    def any_bits(self) -> Bits:
        """Return for each post the bits that any of its characters has. END is always among them."""
        return np.bitwise_or.reduceat(self.bits, self.starts)


@cache
def _ascii_table() -> bytes:
    return table()[:256].tobytes()


@cache
def table() -> Bits:
    """Return the bits of every code point."""
    everything = np.arange(sys.maxunicode + 1, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    bits = np.zeros(sys.maxunicode + 1, np.uint8)
    for pattern, bit in ((r"[^\W\d_]+", LETTER), (r"\w+", WORD)):
        for run in re.finditer(pattern, everything):
            bits[run.start() : run.end()] |= bit
    for run in _KEYLIKE.finditer(everything):
        bits[run.start() : run.end()] |= KEYLIKE
    bits[:_RARE][_flags(map(str.isdigit, everything[:_RARE]))] |= DIGIT
    bits[:_RARE][~_calm(everything[:_RARE])] |= WILD
    bits[_RARE:] |= WILD
    bits[list(map(ord, _MARKED))] |= MARKED
    bits[0] = END
    return bits


def _calm(characters: str) -> NDArray[np.bool_]:
    """Return which characters need no closer look: cleaning doesn't change them, nor do they combine with others."""
    calm = _flags(map(str.isprintable, characters))
    calm &= _flags(category[0] != "M" for category in map(unicodedata.category, characters))
    calm &= _flags(unicodedata.is_normalized("NFC", character) for character in characters)
    calm[0x1100:0x1200] = False  # parts of Korean syllables
    calm[list(_REPLACED)] = False
    calm[list(map(ord, _JOINERS + _BREAKS))] = True
    return calm


def _flags(found: Iterable[bool]) -> NDArray[np.bool_]:
    return np.fromiter(found, bool)
