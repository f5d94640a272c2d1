"""A trained "glr" network with more layers or narrower contexts, so that its training can go on in another shape.

A new layer begins without any effect: its projection is zero. A narrower table of contexts is the best approximation of
the old one, as the first layer reads it: the truncated singular value decomposition of table @ kernel (Eckart and Young
1936, doi:10.1007/BF02288367).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_app.ml.config import NetworkConfig
from models_app.ml.errors import BadSetting, mark

from .gated_linear_rnn import Floats, first_weights, weight_shapes
from .registry import Network


def reshaped(
    network: Network,
    weights: Mapping[str, NDArray[Any]],
    *,
    layers: int | None = None,
    context_width: int | None = None,
    seed: int = 0,
) -> tuple[NetworkConfig, dict[str, Floats]]:
    """Return the network in this shape and its weights as float32; None keeps what it has.

    With more layers, it computes the same as before. Raises BadSetting unless its kind is "glr", for fewer layers, and
    for wider contexts.
    """
    if not isinstance(network, NetworkConfig) or network.kind != "glr":
        raise BadSetting(mark("Only a network of kind glr can get more layers or narrower contexts."))
    layers = network.layers if layers is None else layers
    width = network.context_width if context_width is None else context_width
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
    exact = {name: np.asarray(array, np.float32) for name, array in weights.items()}
    if width < network.context_width:
        exact = _with_narrower_contexts(network, exact, width)
    first = first_weights(shape, seed)
    for layer in range(network.layers, layers):
        first[f"layer_{layer}_projection"][:] = 0
    return shape, {name: exact.get(name, first[name]) for name in weight_shapes(shape)}


def _with_narrower_contexts(network: NetworkConfig, weights: dict[str, Floats], width: int) -> dict[str, Floats]:
    """Return the weights with tables of this width and the input kernel that reads them."""
    kernel, begin = weights["input_kernel"], network.embedding
    narrower, kernels = dict(weights), [kernel[:begin]]
    for place in range(len(network.contexts)):
        name = f"context_{place}_embedding"
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
