"""What a network remembers of a batch of texts between two steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray


class State(Protocol):
    """The memory of a batch of texts. Steps leave it as it is and return a new one."""

    def pick(self, rows: NDArray[np.intp]) -> State:
        """Return the memory of these rows, in this order. A row can occur several times."""
        ...


class Arrays(tuple[NDArray[Any], ...]):
    """A state of arrays whose first axis is the batch."""

    __slots__ = ()

    def pick(self, rows: NDArray[np.intp]) -> Self:
        return type(self)(part[rows] for part in self)


class Recurrent(ABC):
    """A network with a state of arrays, which reads a text symbol by symbol."""

    reads_at_once: Final = 1

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
