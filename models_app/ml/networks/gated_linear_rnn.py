"""The "glr" network in NumPy: stacked gated linear recurrences, their weights and one step.

    x   = [embedding of the symbol, embeddings of its contexts] @ input_kernel
    for each layer:
        u, f, o = rms_norm(x) @ kernel + bias                candidate, forget gate, output gate
        c       = sigmoid(f) * c + (1 - sigmoid(f)) * u      element-wise
        x       = x + (silu(c) * sigmoid(o)) @ projection
    logits = rms_norm(x) @ output_kernel + output_bias

If input and output are tied, the embedding is multiplied by the root of its width where it's read, and the last line
ends in `output_kernel @ embedding.T + output_bias` (Press and Wolf 2017, arXiv:1608.05859).

No matrix product depends on the previous step. All steps of a window are one large product, which runs near the
machine's peak; the rest of the recurrence is element-wise. Related to SRU (Lei et al. 2018, arXiv:1709.02755), QRNN
(Bradbury et al. 2017, arXiv:1611.01576) and minGRU (Feng et al. 2024, arXiv:2410.01201).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.config import BYTES, NetworkConfig
from models_app.ml.vocabulary import vocabulary_of

from .hashed_ngrams import Contexts, is_table, rows_of, table_name
from .small_matmul import by_batch, product
from .states import Arrays, Recurrent

Floats = NDArray[np.float32]
EPSILON: Final = 1e-6  # added to the mean square


def weight_shapes(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight by name. Names of matrices for products end in `kernel` or `projection`."""
    h, size = config.units, vocabulary_of(config).size
    shapes: dict[str, tuple[int, ...]] = {"embedding": (size, config.embedding)}
    for place in range(len(config.contexts)):
        shapes[table_name(place)] = (config.context_rows, config.context_width)
    shapes["input_kernel"] = (config.embedding + len(config.contexts) * config.context_width, h)
    for layer in range(config.layers):
        shapes[f"layer_{layer}_scale"] = (h,)
        shapes[f"layer_{layer}_kernel"] = (h, 3 * h)
        shapes[f"layer_{layer}_bias"] = (3 * h,)
        shapes[f"layer_{layer}_projection"] = (h, h)
    written = config.embedding if config.tied else size
    return shapes | {"output_scale": (h,), "output_kernel": (h, written), "output_bias": (size,)}


def embedding_factor(config: NetworkConfig) -> float:
    """Return what the embedding is multiplied by where it's read, so that its values are about 1 there."""
    return math.sqrt(config.embedding) if config.tied else 1.0


def first_weights(config: NetworkConfig, seed: int) -> dict[str, NDArray[Any]]:
    """Return seeded initial weights: Glorot, with forget biases spread from 0 to 4, for tokens from -1 to 3.

    This way, the units of a layer start with memories of two to fifty bytes, or one to twenty tokens.
    """
    rng = np.random.default_rng(seed)
    h = config.units
    weights: dict[str, NDArray[Any]] = {}
    for name, shape in weight_shapes(config).items():
        if name.endswith("embedding"):
            array = rng.normal(0, 1 / embedding_factor(config) if name == "embedding" else 0.3, shape)
        elif name.endswith("scale"):
            array = np.ones(shape)
        elif name.endswith("bias"):
            array = np.zeros(shape)
        else:
            limit = np.sqrt(6 / sum(shape)) * (0.5 if name.endswith("projection") else 1)
            array = rng.uniform(-limit, limit, shape)
        weights[name] = array.astype(np.float32)
    for layer in range(config.layers):
        weights[f"layer_{layer}_bias"][h : 2 * h] = np.linspace(*((0, 4) if config.vocabulary == BYTES else (-1, 3)), h)
    return weights


class Stepper(Recurrent):
    """Steps a batch of texts, one symbol at a time. Holds only read-only weights, so threads can share it."""

    def __init__(self, config: NetworkConfig, weights: Mapping[str, NDArray[Any]]) -> None:
        vocabulary = vocabulary_of(config)
        # (size, 1): 0 where the symbol resets c
        self._keeps: Floats = (np.arange(vocabulary.size) != vocabulary.end).astype(np.float32)[:, None]
        self._contexts = Contexts.of(config.contexts, vocabulary)
        self._rows = config.context_rows
        self._units = config.units
        # These are only looked up, so they can stay in a smaller type. The others are multiplied.
        self._context_embeddings = [weights[table_name(place)] for place in range(len(config.contexts))]
        weights = {name: np.asarray(array, np.float32) for name, array in weights.items() if not is_table(name)}
        # There are far fewer symbols than steps, so their part of the input product is a precomputed table.
        kernel = weights["input_kernel"]
        split = [config.embedding + place * config.context_width for place in range(len(config.contexts) + 1)]
        self._table: Floats = weights["embedding"] @ kernel[: config.embedding]
        self._table *= np.float32(embedding_factor(config))
        self._context_kernel: Floats = np.ascontiguousarray(kernel[split[0] :])
        self._layers = [self._layer(config, weights, layer) for layer in range(config.layers)]
        # Folded: scaling the normalized row is the same as scaling the rows of the next kernel.
        self._output_kernel = _fold_norm(weights["output_scale"], weights["output_kernel"])
        self._output_bias: Floats = weights["output_bias"]
        self._written: Floats | None = np.ascontiguousarray(weights["embedding"].T) if config.tied else None

    @staticmethod
    def _layer(config: NetworkConfig, weights: Mapping[str, NDArray[Any]], layer: int) -> tuple[Floats, Floats, Floats]:
        """Return kernel, bias and projection, with the constant factors of `step` folded in."""
        halves = np.full(3 * config.units, 0.5, np.float32)
        halves[: config.units] = 1
        kernel = _fold_norm(weights[f"layer_{layer}_scale"], weights[f"layer_{layer}_kernel"])
        kernel *= halves
        return kernel, weights[f"layer_{layer}_bias"] * halves, weights[f"layer_{layer}_projection"] * np.float32(0.5)

    def start(self, rows: int) -> Arrays:
        """Return the state before a post: c of each layer (rows, H), then the context keys (rows, contexts)."""
        keys = np.repeat(self._contexts.start[None], rows, axis=0)
        return Arrays((*(np.zeros((rows, self._units), np.float32) for _ in self._layers), keys))

    def step(self, symbols: NDArray[Any], state: Any, sizes: Sequence[int] = ()) -> tuple[Floats, Arrays]:
        """Return the logits (B, size) of the symbol after `symbols` (B,), and the new state.

        `sizes` as in `product`.
        """
        h = self._units
        has_contexts = bool(self._context_embeddings)
        keys = self._contexts.next(state[-1], symbols) if has_contexts else state[-1]
        x = self._table[symbols]  # (B, H)
        if has_contexts:
            table_rows = rows_of(keys, self._rows)
            embedded = [table[table_rows[:, place]] for place, table in enumerate(self._context_embeddings)]
            contexts = np.concatenate(embedded, axis=1, dtype=np.float32)
            x += by_batch(np.matmul, contexts, self._context_kernel, sizes)
        keep = self._keeps[symbols]  # (B, 1)
        new_state: list[NDArray[Any]] = []
        for (kernel, bias, projection), c in zip(self._layers, state[:-1], strict=True):
            # sigmoid(x) = (1 + tanh(x / 2)) / 2. With the halves folded into the weights, one tanh computes both gates.
            z = product(_unit(x), kernel, sizes)
            z += bias
            candidate, forget, output = z[:, :h], z[:, h : 2 * h], z[:, 2 * h :]
            gates = z[:, h:]
            np.tanh(gates, out=gates)
            gates += 1
            c = c * keep
            c -= candidate
            c *= forget
            c *= 0.5
            c += candidate
            new_state.append(c)
            half = c * np.float32(0.5)
            gated = np.tanh(half)
            gated += 1
            gated *= half  # silu(c)
            gated *= output
            x = x + product(gated, projection, sizes)
        logits = product(_unit(x), self._output_kernel, sizes)
        if self._written is not None:
            logits = product(logits, self._written, sizes)
        logits += self._output_bias
        return logits, Arrays((*new_state, keys))


def _fold_norm(scale: NDArray[Any], kernel: NDArray[Any]) -> Floats:
    """Return the kernel (H, N) with the RMSNorm scale and the factor sqrt(H) folded in, for rows of length 1."""
    factors: Floats = scale * np.float32(math.sqrt(len(scale)))
    folded: Floats = factors[:, None] * kernel
    return folded


def _unit(x: Floats) -> Floats:
    """Return x (B, H) with rows scaled to length 1, except for the epsilon that rms_norm adds."""
    length: Floats = np.vecdot(x, x)
    length += np.float32(x.shape[1] * EPSILON)
    np.sqrt(length, out=length)
    unit: Floats = x / length[:, None]
    return unit
