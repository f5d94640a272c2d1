"""The peak speed of this machine's matrix products, and the share of it that a training step reaches.

A training step is counted by the weights in matrix products: every two-dimensional weight except embeddings, which are
looked up (tied to the output, one is multiplied, too). Each takes one multiply-add per symbol forward, and two backward
(for the gradients of its input and of itself). A multiplication or an addition is an operation, so that makes 6
operations per weight and symbol. Everything else (gates, softmax, Adam, clipping) counts as nothing, so the share says
how much could still be gained.
"""

from __future__ import annotations

import math
import time
from typing import Final

import numpy as np
import tensorflow as tf

from models_app.ml.config import NetworkConfig
from models_app.ml.networks.registry import kind_of

from .common import Contender

# (M, K, N): a product of training at batches of 64 and more, and square ones.
SIZES: Final = ((512, 512, 2048), (1024, 1024, 1024), (4096, 512, 2048), (2048, 2048, 2048))


def operations_per_symbol(network: NetworkConfig) -> int:
    """Return the operations of training on one byte or token, by the formula above."""
    shapes = kind_of(network).weight_shapes(network)
    multiplied = [name for name, shape in shapes.items() if len(shape) == 2 and not name.endswith("embedding")]
    return 6 * sum(math.prod(shapes[name]) for name in (*multiplied, *(["embedding"] if network.tied else [])))


def peak_contender(kind: str) -> Contender:
    """Return the contender whose rate is the best of several products of this type, in operations per second."""
    rng = np.random.default_rng(0)

    def matrix(rows: int, columns: int) -> tf.Tensor:
        return tf.cast(tf.constant(rng.normal(size=(rows, columns)).astype(np.float32)), kind)

    factors = [(matrix(m, k), matrix(k, n), 2.0 * m * k * n) for m, k, n in SIZES]

    def run() -> float:
        best = 0.0
        for left, right, operations in factors:
            for _ in range(3):
                begun = time.perf_counter()
                tf.matmul(left, right).numpy()
                best = max(best, operations / (time.perf_counter() - begun))
        return best

    return run
