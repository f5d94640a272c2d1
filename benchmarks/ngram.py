"""A classical rival: interpolated modified Kneser-Ney over bytes, up to order 8, in NumPy.

Chen and Goodman, "An empirical study of smoothing techniques for language modeling" (1998), section 3. An n-gram is one
uint64, its newest symbol in the lowest byte, so that `key >> 8` is its context. Contexts never reach across an end
mark: at a post's beginning the oldest symbol of a context is END, as in the networks. Nothing comes before such
n-grams, so they keep their plain counts, while others count the different symbols before them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.vocabulary.utf8_bytes import END, SIZE

HIGHEST: Final = 8  # symbols in a uint64
Keys = NDArray[np.uint64]
Numbers = NDArray[np.float64]
_BYTE: Final = np.uint64(8)


class Grams:
    """The n-grams of symbols that are posts with their end marks, for each order."""

    def __init__(self, symbols: bytes) -> None:
        self._symbols = np.frombuffer(bytes([END]) + symbols, np.uint8)
        places = np.arange(self._symbols.size, dtype=np.int64)
        last_mark = np.maximum.accumulate(np.where(self._symbols == END, places, 0))
        # For each target (all symbols but the first), the number of symbols before it in its post, including the mark.
        self.depth: NDArray[np.uint8] = np.minimum(places[1:] - last_mark[:-1], HIGHEST).astype(np.uint8)

    def of_order(self, order: int) -> Keys:
        """Return the n-grams that end at the targets of `places(order)`."""
        first = min(max(order - 1, 1), self._symbols.size)
        keys = self._symbols[first:].astype(np.uint64)
        for back in range(1, order):
            older = self._symbols[first - back : self._symbols.size - back].astype(np.uint64)
            keys |= older << np.uint64(8 * back)
        return keys[self.depth[first - 1 :] >= order - 1]

    def places(self, order: int) -> NDArray[np.intp]:
        """Return the targets that have a context of order - 1 symbols."""
        return np.flatnonzero(self.depth >= order - 1)


@dataclass(frozen=True, slots=True)
class Level:
    """One order: discounted counts by n-gram; by context, the divisor and the weight of the next lower order."""

    keys: Keys
    counts: NDArray[np.float32]  # discounted
    contexts: Keys
    totals: NDArray[np.float32]
    left: NDArray[np.float32]  # the share that the discounts left over

    def refine(self, keys: Keys, below: Numbers) -> Numbers:
        """Return the probabilities of these n-grams, given those of one symbol less of context."""
        at = np.minimum(np.searchsorted(self.contexts, keys >> _BYTE), self.contexts.size - 1)
        known = self.contexts[at] == keys >> _BYTE
        place = np.minimum(np.searchsorted(self.keys, keys), self.keys.size - 1)
        counts = np.where(self.keys[place] == keys, self.counts[place], 0).astype(np.float64)
        return np.where(known, counts / self.totals[at] + self.left[at] * below, below)

    def knows(self, keys: Keys) -> NDArray[np.bool_]:
        """Return whether the contexts of these n-grams were seen."""
        at = np.minimum(np.searchsorted(self.contexts, keys >> _BYTE), self.contexts.size - 1)
        known: NDArray[np.bool_] = self.contexts[at] == keys >> _BYTE
        return known


class KneserNey:
    """Counts of symbols for models of several orders, which share all levels except their highest."""

    def __init__(self, symbols: bytes, orders: Sequence[int]) -> None:
        self.orders = sorted(orders)
        if not 1 <= self.orders[0] <= self.orders[-1] <= HIGHEST:
            raise ValueError(f"The orders must lie between 1 and {HIGHEST}, not {list(orders)}.")
        grams = Grams(symbols)
        self._plain: dict[int, Level] = {}
        self._continued: dict[int, Level] = {}
        longer: Keys | None = None
        for order in range(self.orders[-1], 0, -1):
            keys, counts = np.unique(grams.of_order(order), return_counts=True)
            if order in self.orders:
                self._plain[order] = level(keys, counts)
            if longer is not None:
                self._continued[order] = level(*continuations(keys, counts, longer, order))
            longer = keys

    def probabilities(self, symbols: bytes) -> dict[int, Numbers]:
        """Return for each order the probability of every symbol, given those before it in its post."""
        grams = Grams(symbols)
        below = np.full(grams.depth.size, 1 / SIZE)
        found: dict[int, Numbers] = {}
        for order in range(1, self.orders[-1] + 1):
            keys, places = grams.of_order(order), grams.places(order)
            if order in self._plain:
                found[order] = below.copy()
                found[order][places] = self._plain[order].refine(keys, below[places])
            if order in self._continued:
                below[places] = self._continued[order].refine(keys, below[places])
        return found

    def longest_known(self, symbols: bytes) -> NDArray[np.intp]:
        """Return, for every symbol, the length of the longest known context before it (0 to highest order - 1)."""
        grams = Grams(symbols)
        longest = np.zeros(grams.depth.size, np.intp)
        for order in range(2, self.orders[-1] + 1):
            one = self._continued.get(order) or self._plain[order]
            places = grams.places(order)
            longest[places[one.knows(grams.of_order(order))]] = order - 1
        return longest


def continuations(keys: Keys, counts: NDArray[Any], longer: Keys, order: int) -> tuple[Keys, NDArray[Any]]:
    """Return the n-grams with the number of different symbols before them, or their counts if END is the oldest."""
    before = np.uint64((1 << 8 * order) - 1)
    middle, different = np.unique(longer & before, return_counts=True)
    if order == 1:
        return middle, different
    first = keys >> np.uint64(8 * (order - 1)) == END
    both, numbers = np.concatenate([middle, keys[first]]), np.concatenate([different, counts[first]])
    by_key = np.argsort(both)
    return both[by_key], numbers[by_key]


def level(keys: Keys, counts: NDArray[Any]) -> Level:
    """Return the level of sorted n-grams with these counts."""
    taken = discounts(counts)[np.minimum(counts, 3)]
    contexts = keys >> _BYTE
    starts = np.flatnonzero(np.concatenate([[True], contexts[1:] != contexts[:-1]]))
    totals = np.add.reduceat(counts, starts).astype(np.float64)
    left = np.add.reduceat(taken, starts) / totals
    return Level(
        keys,
        (counts - taken).astype(np.float32),
        contexts[starts],
        totals.astype(np.float32),
        left.astype(np.float32),
    )


def discounts(counts: NDArray[Any]) -> Numbers:
    """Return (0, D1, D2, D3+) from the numbers of n-grams with the counts 1 to 4, or 0.5 if there are too few."""
    n1, n2, n3, n4 = (int(np.count_nonzero(counts == count)) for count in range(1, 5))
    if not (n1 and n2 and n3 and n4):
        return np.array([0, 0.5, 0.5, 0.5])
    y = n1 / (n1 + 2 * n2)
    found = np.array([0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    clipped: Numbers = np.clip(found, [0, 0.01, 0.01, 0.01], [0, 0.99, 1.99, 2.99])
    return clipped


def mixed(first: Numbers, second: Numbers, groups: NDArray[np.intp], rounds: int = 50) -> Numbers:
    """Return, for each group, the weight of `first` in the mixture with `second` that fits the data best (EM)."""
    weights = np.full(int(groups.max(initial=0)) + 1, 0.5)
    sizes = np.maximum(np.bincount(groups, minlength=weights.size), 1)
    for _ in range(rounds):
        own = weights[groups] * first
        share = own / (own + (1 - weights[groups]) * second)
        weights = (np.bincount(groups, share, weights.size) + 0.5) / (sizes + 1)
    return weights
