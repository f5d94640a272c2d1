"""The "lstm" network in NumPy: the shapes of its weights, its initial weights and one step.

embedding -> one LSTM -> softmax over the symbols of any vocabulary. The gates are in Keras' order: i, f, c, o.
A hard sigmoid is clip(x / 5 + 1 / 2, 0, 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_app.ml.config import NetworkConfig
from models_app.ml.vocabulary import vocabulary_of

from .small_matmul import product
from .states import Arrays, Recurrent

Floats = NDArray[np.float32]
#: Of a hard sigmoid.
HARD_SLOPE = 0.2


def weight_shapes(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight by name."""
    e, h, size = config.embedding, config.units, vocabulary_of(config).size
    return {
        "embedding": (size, e),
        "kernel": (e, 4 * h),
        "recurrent": (h, 4 * h),
        "bias": (4 * h,),
        "output_kernel": (h, size),
        "output_bias": (size,),
    }


def first_weights(config: NetworkConfig, seed: int) -> dict[str, NDArray[Any]]:
    """Return seeded initial weights, as Keras does: Glorot, orthogonal recurrence, forget bias 1."""
    rng = np.random.default_rng(seed)
    e, h, size = config.embedding, config.units, vocabulary_of(config).size

    def glorot(rows: int, columns: int) -> Floats:
        limit = np.sqrt(6 / (rows + columns))
        return rng.uniform(-limit, limit, (rows, columns)).astype(np.float32)

    q, r = np.linalg.qr(rng.standard_normal((4 * h, h)))
    bias = np.zeros(4 * h, np.float32)
    bias[h : 2 * h] = 1
    return {
        "embedding": rng.normal(0, 0.5, (size, e)).astype(np.float32),
        "kernel": glorot(e, 4 * h),
        "recurrent": np.ascontiguousarray((q * np.sign(np.diag(r))).T, np.float32),
        "bias": bias,
        "output_kernel": glorot(h, size),
        "output_bias": np.zeros(size, np.float32),
    }


class Stepper(Recurrent):
    """Steps a batch of texts, one symbol at a time. Holds only read-only weights, so threads can share it."""

    def __init__(self, config: NetworkConfig, weights: Mapping[str, NDArray[Any]]) -> None:
        units = config.units
        weights = {name: np.asarray(array, np.float32) for name, array in weights.items()}
        # sigmoid(x) = (1 + tanh(x / 2)) / 2. With the halves folded into the weights, one tanh computes all four gates.
        self._is_hard = config.gates == "hard_sigmoid"
        scale = np.full(4 * units, HARD_SLOPE if self._is_hard else 0.5, np.float32)
        scale[2 * units : 3 * units] = 1
        self._units = units
        # The input is one of a few symbols, so its projection is a precomputed table, (size, 4H).
        self._table: Floats = (weights["embedding"] @ weights["kernel"] + weights["bias"]) * scale
        if self._is_hard:
            self._table += np.where(scale == 1, np.float32(0), np.float32(0.5))
        self._recurrent: Floats = weights["recurrent"] * scale
        self._output_kernel: Floats = np.ascontiguousarray(weights["output_kernel"])
        self._output_bias: Floats = weights["output_bias"]

    def start(self, rows: int) -> Arrays:
        """Return the zero state: h and c, each (rows, H)."""
        return Arrays(np.zeros((rows, self._units), np.float32) for _ in range(2))

    def step(self, symbols: NDArray[Any], state: Any, sizes: Sequence[int] = ()) -> tuple[Floats, Arrays]:
        """Return the logits (B, size) of the symbol after `symbols` (B,), and the new state.

        `sizes` as in `product`.
        """
        h, c = state
        n = self._units
        z = product(h, self._recurrent, sizes)  # (B, 4H)
        z += self._table[symbols]
        if self._is_hard:
            candidate = np.tanh(z[:, 2 * n : 3 * n])
            np.clip(z, 0, 1, out=z)
        else:
            np.tanh(z, out=z)
            candidate = z[:, 2 * n : 3 * n].copy()
            z *= 0.5
            z += 0.5
        c = z[:, n : 2 * n] * c
        candidate *= z[:, :n]
        c += candidate
        h = np.tanh(c)
        h *= z[:, 3 * n :]
        logits = product(h, self._output_kernel, sizes)
        logits += self._output_bias
        return logits, Arrays((h, c))
