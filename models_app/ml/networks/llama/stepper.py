"""Steps the texts of one bot, in whatever runs its decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

S = TypeVar("S")

#: The longest texts, in characters, that are stepped in batches of full size. Longer ones take more memory each, so
#: their batches are smaller.
MAX_FULL_BATCH_CHARACTERS: Final = 500


class Decoder(Protocol[S]):
    """Steps texts of any bot with the same architecture and frozen weights. S: the state of a batch of texts.

    rows_at_once: the largest batch of texts.
    """

    @property
    def rows_at_once(self) -> int: ...

    def adapter(self, weights: Mapping[str, Any]) -> dict[str, Any]:
        """Return an adapter's weights as `read` takes them."""
        ...

    def bytes_of(self, adapter: dict[str, Any]) -> int:
        """Return the bytes of an adapter."""
        ...

    def start(self, rows: int) -> S:
        """Return the state of this many texts that have read nothing yet."""
        ...

    def read(self, symbols: NDArray[Any], state: S, adapter: dict[str, Any]) -> tuple[NDArray[np.float32], S]:
        """Return the logits (B, V) of the symbol after the last of `symbols` (B, T), and the new state."""
        ...


class LlamaStepper(Generic[S]):
    """Steps texts of one bot. Several threads can use it, each with states of its own."""

    reads_at_once: Final = 256

    def __init__(self, decoder: Decoder[S], weights: Mapping[str, Any]) -> None:
        self.decoder = decoder
        self._adapter = decoder.adapter(weights)

    @property
    def rows_at_once(self) -> int:
        return self.decoder.rows_at_once

    def rows_of(self, characters: int) -> int:
        """Return the largest batch for texts of this length."""
        return max(1, min(self.rows_at_once, self.rows_at_once * MAX_FULL_BATCH_CHARACTERS // characters))

    @property
    def nbytes(self) -> int:
        """The bytes of the adapter."""
        return self.decoder.bytes_of(self._adapter)

    def start(self, rows: int) -> S:
        """Return the state of this many texts before their start mark."""
        return self.decoder.start(rows)

    def step(self, symbols: NDArray[Any], state: S) -> tuple[NDArray[np.float32], S]:
        """Return the logits (B, V) of the symbol after `symbols` (B,), and the new state."""
        return self.read(symbols[:, None], state)

    def read(self, symbols: NDArray[Any], state: S) -> tuple[NDArray[np.float32], S]:
        """Return the logits (B, V) of the symbol after the last of `symbols` (B, T), and the new state."""
        return self.decoder.read(symbols, state, self._adapter)

    def steps(self, texts: Sequence[tuple[NDArray[Any], S]]) -> list[tuple[NDArray[np.float32], S]]:
        """Return the result of a step of each batch of texts."""
        return [self.step(symbols, state) for symbols, state in texts]
