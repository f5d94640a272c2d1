"""Hashed n-gram contexts in NumPy: the preceding bytes as rows of small embedding tables.

A context of order n is the last n bytes; the context WORD is the word so far (all bytes since the last space, line feed
or end mark). Each context is an integer key, updated byte by byte, and the hash of the key picks a row of an embedding.
For the price of a look-up, the network gets information that would otherwise cost it matrix products. Contexts restart
at each post: bytes before the end mark count as end marks. (Hashed n-gram embeddings: "Byte Latent Transformer",
Pagnoni et al. 2024, arXiv:2412.09871, section 3.2.1.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.vocabulary.utf8_bytes import END, SIZE

WORD: Final = 0

WORD_MULTIPLIER: Final = 0x01000193  # from the FNV hash; a key below 2**31 times this fits into 63 bits
_SPACE: Final = 0x20
_LINE_END: Final = 0x0A
_LOW_BITS: Final = 24  # a key's low three bytes and the up to three bytes above them each have their own multiplier
LOW: Final = 2**_LOW_BITS - 1
LOW_MULTIPLIER: Final = 0x61C88647  # 2**32 minus the golden ratio's 32 bits: multiplicative hashing, Knuth 6.4
HIGH_MULTIPLIER: Final = 0x2545F491  # the high bits of the multiplier of xorshift64*, Vigna 2016, arXiv:1402.6246
MIXED: Final = 2**32 - 1  # only these bits of a hash are used

Keys = NDArray[np.int64]


def start_keys(contexts: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the keys (contexts,) before a post, where all preceding bytes count as end marks."""
    return np.array([0 if order == WORD else _ends(order) for order in contexts], np.int64)


def next_keys(contexts: tuple[int, ...], keys: Keys, symbols: NDArray[Any]) -> Keys:
    """Return the keys (B, contexts) after each row's next symbol (B,).

    The key of an n-byte context is 256 * key + symbol, cut to its last n bytes; the key of WORD is a hash.
    """
    rule = rule_of(contexts)
    updated: Keys = (keys * rule.multiplier[symbols] + rule.plus[symbols]) & rule.mask
    return updated


@dataclass(frozen=True, slots=True)
class Rule:
    """How to update keys: multiplier and addend by symbol, (256, contexts), and the mask (contexts,) for the result.

    A symbol that restarts a context multiplies its key by 0 and adds the start key.
    """

    multiplier: Keys
    plus: Keys
    mask: Keys


@cache
def rule_of(contexts: tuple[int, ...]) -> Rule:
    """Return the rule of these contexts."""
    orders = np.array(contexts, np.int64)
    is_word = orders == WORD
    symbols = np.arange(SIZE)[:, None]
    restarts = (symbols == END) | (((symbols == _SPACE) | (symbols == _LINE_END)) & is_word)  # (256, contexts)
    return Rule(
        multiplier=np.where(restarts, 0, np.where(is_word, WORD_MULTIPLIER, SIZE)),
        plus=np.where(restarts, start_keys(contexts), symbols + is_word),
        mask=np.where(is_word, 2**31, SIZE**orders) - 1,
    )


def rows_of(keys: Keys, rows: int) -> Keys:
    """Return the table row, 0 to rows - 1, of each key below 2**48. `rows` is a power of two up to 2**31."""
    mixed = (keys & LOW) * LOW_MULTIPLIER + (keys >> _LOW_BITS) * HIGH_MULTIPLIER
    return (mixed & MIXED) >> (33 - rows.bit_length())


def _ends(order: int) -> int:
    """Return the key of `order` end marks."""
    return int(SIZE**order - 1)
