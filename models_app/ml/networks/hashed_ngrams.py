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
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.vocabulary import END, SIZE

WORD: Final = 0

_WORD_MULTIPLIER: Final = 0x01000193  # of the FNV hash; keys below 2**31 times this stay within 63 bits
_SPACE: Final = 0x20
_LINE_END: Final = 0x0A
_LOW_BITS: Final = 24  # a key's low three bytes, and the up to three above them, are hashed by a multiplier each
_LOW: Final = 2**_LOW_BITS - 1
_LOW_MULTIPLIER: Final = 0x61C88647  # 2**32 less the golden ratio's 32 bits: multiplicative hashing, Knuth 6.4
_HIGH_MULTIPLIER: Final = 0x2545F491  # the high bits of the multiplier of xorshift64*, Vigna 2016, arXiv:1402.6246
_MIXED: Final = 2**32 - 1  # the bits of a hash that count

Keys = NDArray[np.int64]


def start_keys(contexts: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the keys (contexts,) before a post: nothing but end marks."""
    return np.array([0 if order == WORD else _ends(order) for order in contexts], np.int64)


def next_keys(contexts: tuple[int, ...], keys: Keys, symbols: NDArray[Any]) -> Keys:
    """Return the keys (B, contexts) after each row's next symbol (B,).

    A context of bytes is 256 * key + symbol, of which its last bytes count; the word so far is a hash.
    """
    rule = _rule(contexts)
    after: Keys = (keys * rule.multiplier[symbols] + rule.plus[symbols]) & rule.mask
    return after


@dataclass(frozen=True, slots=True)
class _Rule:
    """How each context's key goes on: by the symbol (256, contexts), and what is kept of each (contexts,).

    A context that starts anew multiplies by nothing and adds its start.
    """

    multiplier: Keys
    plus: Keys
    mask: Keys


@cache
def _rule(contexts: tuple[int, ...]) -> _Rule:
    orders = np.array(contexts, np.int64)
    is_word = orders == WORD
    symbols = np.arange(SIZE)[:, None]
    starts_anew = (symbols == END) | (((symbols == _SPACE) | (symbols == _LINE_END)) & is_word)  # (256, contexts)
    return _Rule(
        multiplier=np.where(starts_anew, 0, np.where(is_word, _WORD_MULTIPLIER, SIZE)),
        plus=np.where(starts_anew, start_keys(contexts), symbols + is_word),
        mask=np.where(is_word, 2**31, SIZE**orders) - 1,
    )


def rows_of(keys: Keys, rows: int) -> Keys:
    """Return the table row, 0 to rows - 1, of each key below 2**48; `rows` is a power of two of at most 2**31."""
    mixed = (keys & _LOW) * _LOW_MULTIPLIER + (keys >> _LOW_BITS) * _HIGH_MULTIPLIER
    return (mixed & _MIXED) >> (33 - rows.bit_length())


def _ends(order: int) -> int:
    """Return the key of nothing but end marks."""
    return int(SIZE**order - 1)
