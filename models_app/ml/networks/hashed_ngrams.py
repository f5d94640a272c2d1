"""Hashed n-gram contexts in NumPy: the preceding symbols as rows of small embedding tables.

A context of order n is the last n symbols; the context WORD, for bytes only, is the word so far (all bytes since the
last space, line feed or end mark). Each context is an integer key, updated symbol by symbol, and the hash of the key
picks a row of an embedding. For the price of a look-up, the network gets information that would otherwise cost it
matrix products. Contexts restart at each post: symbols before the end mark count as end marks. (Hashed n-gram
embeddings: "Byte Latent Transformer", Pagnoni et al. 2024, arXiv:2412.09871, section 3.2.1.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.vocabulary import Vocabulary
from models_app.ml.vocabulary.utf8_bytes import END, SIZE

WORD: Final = 0

WORD_MULTIPLIER: Final = 0x01000193  # from the FNV hash; a key below 2**31 times this fits into 63 bits
_SPACE: Final = 0x20
_LINE_END: Final = 0x0A
_LOW_BITS: Final = 24  # a key's low 24 bits and those above them each have their own multiplier
LOW: Final = 2**_LOW_BITS - 1
LOW_MULTIPLIER: Final = 0x61C88647  # 2**32 minus the golden ratio's 32 bits: multiplicative hashing, Knuth 6.4
HIGH_MULTIPLIER: Final = 0x2545F491  # the high bits of the multiplier of xorshift64*, Vigna 2016, arXiv:1402.6246
MIXED: Final = 2**32 - 1  # only these bits of a hash are used

Keys = NDArray[np.int64]


def table_name(place: int) -> str:
    """Return the name of the weights that are the table of a network's context at this place."""
    return f"context_{place}_embedding"


def is_table(name: str) -> bool:
    """Return whether the weights of this name are a table of contexts."""
    return name.startswith("context_")


@dataclass(frozen=True, slots=True)
class Rule:
    """How to update keys: multiplier and addend by symbol, (symbols, contexts), and the mask (contexts,) of the result.

    A symbol that restarts a context multiplies its key by 0 and adds the start key.
    """

    multiplier: Keys
    plus: Keys
    mask: Keys


@dataclass(frozen=True)
class Contexts:
    """The contexts of a network: their orders, the number of its symbols, and its end mark.

    A key of order n is below base**n, where the base is the power of two from `size` on.
    """

    orders: tuple[int, ...]
    size: int = SIZE
    end: int = END

    @classmethod
    def of(cls, orders: tuple[int, ...], vocabulary: Vocabulary) -> Contexts:
        """Return the contexts of these orders over a vocabulary."""
        return _contexts(orders, vocabulary.size, vocabulary.end)

    @cached_property
    def start(self) -> Keys:
        """The keys (contexts,) before a post, where all preceding symbols count as end marks."""
        keys = [
            0 if order == WORD else sum(self.end * self.base**place for place in range(order)) for order in self.orders
        ]
        return np.array(keys, np.int64)

    def next(self, keys: Keys, symbols: NDArray[Any]) -> Keys:
        """Return the keys (B, contexts) after each row's next symbol (B,).

        The key of n symbols is base * key + symbol, cut to its last n symbols; the key of WORD is a hash.
        """
        rule = self.rule
        updated: Keys = (keys * rule.multiplier[symbols] + rule.plus[symbols]) & rule.mask
        return updated

    @cached_property
    def rule(self) -> Rule:
        """How the keys go on."""
        orders = np.array(self.orders, np.int64)
        is_word = orders == WORD
        symbols = np.arange(self.size)[:, None]
        ends_word = ((symbols == _SPACE) | (symbols == _LINE_END)) & is_word
        restarts = (symbols == self.end) | ends_word  # (symbols, contexts)
        return Rule(
            multiplier=np.where(restarts, 0, np.where(is_word, WORD_MULTIPLIER, self.base)),
            plus=np.where(restarts, self.start, symbols + is_word),
            mask=np.where(is_word, 2**31, self.base**orders) - 1,
        )

    @property
    def base(self) -> int:
        """The power of two by which a key grows with a symbol."""
        return 1 << (self.size - 1).bit_length()


@cache
def _contexts(orders: tuple[int, ...], size: int, end: int) -> Contexts:
    return Contexts(orders, size, end)


def rows_of(keys: Keys, rows: int) -> Keys:
    """Return the table row, 0 to rows - 1, of each key below 2**51. `rows` is a power of two up to 2**31."""
    mixed = (keys & LOW) * LOW_MULTIPLIER + (keys >> _LOW_BITS) * HIGH_MULTIPLIER
    return (mixed & MIXED) >> (33 - rows.bit_length())
