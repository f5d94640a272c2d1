"""What a network remembers of a batch of texts between two steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray


class State(Protocol):
    """The memory of a batch of texts. Steps leave it as it is and return a new one."""

    @property
    def nbytes(self) -> int:
        """The bytes that it takes."""
        ...

    def pick(self, rows: NDArray[np.intp]) -> State:
        """Return the memory of these rows, in this order. A row can occur several times."""
        ...

    def fork(self, count: int) -> State:
        """Return the memory of `count` texts that each go on from the first one, which can be forked again."""
        ...


class Arrays(tuple[NDArray[Any], ...]):
    """A state of arrays whose first axis is the batch."""

    __slots__ = ()

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self)

    def pick(self, rows: NDArray[np.intp]) -> Self:
        return type(self)(part[rows] for part in self)

    def fork(self, count: int) -> Self:
        return self.pick(np.zeros(count, np.intp))


class Recurrent(ABC):
    """A network with a state of arrays, which reads a text symbol by symbol."""

    reads_at_once: Final = 1
    rows_at_once: Final = 256

    @property
    def nbytes(self) -> int:
        """The bytes of its weights."""
        return _bytes_of(vars(self).values())

    def rows_of(self, characters: int) -> int:
        """Return the largest batch for texts of this length. A state has one size."""
        return self.rows_at_once

    @abstractmethod
    def start(self, rows: int) -> Arrays:
        """Return the state of this many texts before their start mark."""

    @abstractmethod
    def step(self, symbols: NDArray[Any], state: Any, sizes: Sequence[int] = ()) -> tuple[NDArray[np.float32], Arrays]:
        """Return the logits (B, size) of the symbol after `symbols` (B,), and the new state.

        With `sizes`, the texts are several batches of these sizes: each gets exactly what it would get alone.
        """

    def steps(self, steps: Sequence[tuple[NDArray[Any], Any]]) -> list[tuple[NDArray[np.float32], Arrays]]:
        """Return what `step` returns for each batch's symbols and state, in one pass over the weights."""
        sizes = [len(symbols) for symbols, _ in steps]
        state = Arrays(np.concatenate(parts) for parts in zip(*(state for _, state in steps), strict=True))
        logits, state = self.step(np.concatenate([symbols for symbols, _ in steps]), state, sizes)
        spans = [slice(*ends) for ends in pairwise(accumulate(sizes, initial=0))]
        return [(logits[span], Arrays(part[span] for part in state)) for span in spans]

    def read(self, symbols: NDArray[Any], state: Any) -> tuple[NDArray[np.float32], Arrays]:
        """Return the logits (B, size) of the symbol after the last of `symbols` (B, T), and the new state."""
        for column in symbols.T:
            logits, state = self.step(column, state)
        return logits, state


def _bytes_of(values: Iterable[Any]) -> int:
    """Return the bytes of the arrays among the values, and in lists and tuples among them."""
    total = 0
    for value in values:
        if isinstance(value, np.ndarray):
            total += value.nbytes
        elif isinstance(value, list | tuple):
            total += _bytes_of(value)
    return total
