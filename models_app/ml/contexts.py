"""What was written just before, as rows of small tables: hashed contexts, in NumPy.

A context of order n is the last n bytes; the context WORD is the word so far (all bytes since the last space, line end
or end mark). Each is a whole number that is carried along byte by byte, and its hash picks a row of an embedding. That
gives a network at once, for the price of a look-up, what it would otherwise spend products on. As everything else, a
context starts anew at each post: bytes before the end mark count as end marks. (Hashed n-gram embeddings: "Byte Latent
Transformer", Pagnoni et al. 2024, arXiv:2412.09871, section 3.2.1.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .vocabulary import END, SIZE

WORD: Final = 0

_WORD_MULTIPLIER: Final = 0x01000193  # of the FNV hash; keys below 2**31 times this stay within 63 bits
_SPACE: Final = 0x20
_LINE_END: Final = 0x0A
_LOW: Final = 2**24  # a key's low three bytes, and the up to three above them, are hashed by a multiplier each
_LOW_MULTIPLIER: Final = 0x61C88647  # 2**32 less the golden ratio's 32 bits: multiplicative hashing, Knuth 6.4
_HIGH_MULTIPLIER: Final = 0x2545F491  # the high bits of the multiplier of xorshift64*, Vigna 2016, arXiv:1402.6246

Keys = NDArray[np.int64]


def start_keys(contexts: tuple[int, ...]) -> NDArray[np.int64]:
    """Returns the keys (contexts,) before a post: nothing but end marks."""
    return np.array([0 if order == WORD else _ends(order) for order in contexts], np.int64)


def next_keys(contexts: tuple[int, ...], keys: Keys, symbols: NDArray[np.int64]) -> Keys:
    """Returns the keys (B, contexts) after each row's next symbol (B,).

    A context of bytes is 256 * key + symbol, of which its last bytes count; the word so far is a hash.
    """
    rule = _rule(contexts)
    symbols = symbols[:, None]  # (B, 1)
    ends = symbols == END
    fresh = ends | (((symbols == _SPACE) | (symbols == _LINE_END)) & rule.is_word)  # (B, contexts)
    return np.where(fresh, rule.start, (keys * rule.multiplier + symbols + rule.plus) % rule.modulus)


@dataclass(frozen=True, slots=True)
class _Rule:
    """How each context's key goes on, (contexts,) each."""

    multiplier: NDArray[np.int64]
    plus: NDArray[np.int64]
    modulus: NDArray[np.int64]
    start: NDArray[np.int64]
    is_word: NDArray[np.bool_]


@cache
def _rule(contexts: tuple[int, ...]) -> _Rule:
    orders = np.array(contexts, np.int64)
    is_word = orders == WORD
    return _Rule(
        multiplier=np.where(is_word, _WORD_MULTIPLIER, SIZE),
        plus=is_word.astype(np.int64),
        modulus=np.where(is_word, 2**31, SIZE**orders),
        start=start_keys(contexts),
        is_word=is_word,
    )


def rows_of(keys: Keys, rows: int) -> Keys:
    """Returns the table row, 0 to rows - 1, of each key below 2**48; `rows` is a power of two of at most 2**31."""
    mixed = keys % _LOW * _LOW_MULTIPLIER + keys // _LOW * _HIGH_MULTIPLIER
    return mixed % 2**32 // (2**32 // rows)


def _ends(order: int) -> int:
    """Returns the key of nothing but end marks."""
    return int(SIZE**order - 1)
