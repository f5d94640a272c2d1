"""Texts in progress: where their keys and values are, and how long they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray


class Cache(Protocol):
    """Keys and values of texts, one slot each. A text that ends leaves its slot unused, so no other text is moved."""

    @property
    def slots(self) -> int: ...

    @property
    def nbytes(self) -> int: ...

    def copied(self, slots: NDArray[np.intp]) -> Self:
        """Return a new cache with copies of these slots."""
        ...


C = TypeVar("C", bound=Cache)


@dataclass(frozen=True, slots=True)
class DecoderState(Generic[C]):
    """Texts in progress: the slot of each in the cache, and the number of symbols that each has read.

    A step writes into the cache, so only the newest state of a text can be stepped.
    """

    cache: C
    slots: NDArray[np.intp]
    lengths: NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        """The bytes of the whole cache."""
        return self.cache.nbytes

    def pick(self, rows: NDArray[np.intp]) -> DecoderState[C]:
        """Return the state of these rows. Rows that occur several times get slots of their own."""
        slots = self.slots[rows]
        if len(np.unique(slots)) == len(slots) and 2 * len(slots) > self.cache.slots:
            return DecoderState(self.cache, slots, self.lengths[rows])
        return self._copied(rows)

    def fork(self, count: int) -> DecoderState[C]:
        """Return the state of `count` texts that each go on from the first one, in a cache of their own."""
        return self._copied(np.zeros(count, np.intp))

    def _copied(self, rows: NDArray[np.intp]) -> DecoderState[C]:
        return DecoderState(self.cache.copied(self.slots[rows]), np.arange(len(rows)), self.lengths[rows])
