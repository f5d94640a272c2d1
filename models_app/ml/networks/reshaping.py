"""A trained network in another shape, so that its training can go on: what is new has no effect at first.

A "glr" network gets more layers, whose projections begin at zero, or narrower contexts. A narrower table is the best
approximation of the old one, as the first layer reads it: the truncated singular value decomposition of table @ kernel
(Eckart and Young 1936, doi:10.1007/BF02288367). An adapter of a pretrained model gets another rank. If it's higher, the
new rows of its second matrices begin at zero, as all rows of a new adapter do (Hu et al. 2021, arXiv:2106.09685). If
it's lower, each product of its two matrices is approximated like a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_app.ml.config import NetworkConfig
from models_app.ml.errors import BadSetting, mark

from .gated_linear_rnn import first_weights, weight_shapes
from .hashed_ngrams import table_name
from .llama.config import LlamaConfig
from .llama.weights import first_adapter
from .registry import Network

Arrays = dict[str, NDArray[np.float32]]


def reshaped(
    network: Network,
    weights: Mapping[str, NDArray[Any]],
    *,
    layers: int | None = None,
    context_width: int | None = None,
    rank: int | None = None,
    seed: int = 0,
) -> tuple[Network, Arrays]:
    """Return the network in this shape and its weights as float32; None keeps what it has.

    With more layers or a higher rank, it computes the same as before. Raises BadSetting for fewer layers, wider
    contexts or a rank that an adapter can't have, and for what a network of its kind doesn't have.
    """
    if network.kind != "glr" and (layers, context_width) != (None, None):
        raise BadSetting(mark("Only a network of kind glr can get more layers or narrower contexts."))
    if network.kind != "llama" and rank is not None:
        raise BadSetting(mark("Only the adapter of a pretrained model has a rank."))
    exact = {name: np.asarray(array, np.float32) for name, array in weights.items()}
    if isinstance(network, LlamaConfig):
        return _of_rank(network, exact, network.rank if rank is None else rank, seed)
    if network.kind != "glr":
        return network, exact
    layers = network.layers if layers is None else layers
    return _of_glr(network, exact, layers, network.context_width if context_width is None else context_width, seed)


def _of_rank(network: LlamaConfig, weights: Arrays, rank: int, seed: int) -> tuple[LlamaConfig, Arrays]:
    if rank < 1:
        raise BadSetting(mark("The rank of an adapter is at least 1."))
    shape = replace(network, rank=rank)
    if rank < network.rank:
        return shape, _of_lower_rank(weights, rank)
    grown = first_adapter(shape, seed)
    for name, array in weights.items():
        grown[name][: array.shape[0], : array.shape[1]] = array
    return shape, grown


def _of_lower_rank(weights: Arrays, rank: int) -> Arrays:
    """Return the matrices A (inputs, rank) and B (rank, outputs) whose products are nearest to those of before."""
    lower: Arrays = {}
    for name in (name for name in weights if name.endswith(".a")):
        other = f"{name.removesuffix('a')}b"
        # a @ b = left @ (middle) @ right.T with orthonormal left and right, so only (rank, rank) must be decomposed.
        left, before = np.linalg.qr(weights[name].astype(np.float64))
        right, after = np.linalg.qr(weights[other].T.astype(np.float64))
        base, values, rest = np.linalg.svd(before @ after.T)
        # The columns of A stay as long as they were: so are the steps of the optimizer.
        length = np.sqrt(np.square(before).sum() / before.shape[1])
        lower[name] = (left @ base[:, :rank] * length).astype(np.float32)
        lower[other] = ((values[:rank, None] * rest[:rank]) @ right.T / length).astype(np.float32)
    return lower


def _of_glr(
    network: NetworkConfig, weights: Arrays, layers: int, width: int, seed: int
) -> tuple[NetworkConfig, Arrays]:
    if layers < network.layers:
        raise BadSetting(
            mark("A trained network keeps its layers. It has %(count)s and can only get more."), count=network.layers
        )
    if width > network.context_width:
        raise BadSetting(
            mark("The contexts of a trained network can only get narrower. Their width is %(width)s."),
            width=network.context_width,
        )
    shape = replace(network, layers=layers, context_width=width)
    if width < network.context_width:
        weights = _with_narrower_contexts(network, weights, width)
    first = first_weights(shape, seed)
    for layer in range(network.layers, layers):
        first[f"layer_{layer}_projection"][:] = 0
    return shape, {name: weights.get(name, first[name]) for name in weight_shapes(shape)}


def _with_narrower_contexts(network: NetworkConfig, weights: Arrays, width: int) -> Arrays:
    """Return the weights with tables of this width and the input kernel that reads them."""
    kernel, begin = weights["input_kernel"], network.embedding
    narrower, kernels = dict(weights), [kernel[:begin]]
    for place in range(len(network.contexts)):
        name = table_name(place)
        table, read = weights[name], kernel[begin : begin + network.context_width]
        begin += network.context_width
        # read.T = base @ rest with an orthonormal base, so only (rows, width) must be decomposed, not (rows, units).
        base, rest = np.linalg.qr(read.T.astype(np.float64))
        left, values, right = np.linalg.svd(table @ rest.T, full_matrices=False)
        kept = left[:, :width] * values[:width]
        # The values stay as large as they were: so are the steps of the optimizer.
        factor = table.std() / max(kept.std(), np.finfo(np.float32).tiny)
        narrower[name] = (kept * factor).astype(np.float32)
        kernels.append(((right[:width] / factor) @ base.T).astype(np.float32))
    narrower["input_kernel"] = np.concatenate(kernels)
    return narrower
