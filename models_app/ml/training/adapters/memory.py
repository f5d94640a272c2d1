"""What training an adapter takes by the shapes of its model: memory, and products. No TensorFlow.

Checked on random weights of the true shapes by `benchmarks.sizes` (docs/fluent.md).
"""

from __future__ import annotations

import math
from typing import Final

from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.weights import MAPS, adapter_shapes, frozen_shapes, map_shapes

from .config import CHUNK, LENGTH, ROWS

#: Bytes of a process with TensorFlow that has compiled a training, and of one that writes.
TRAINER: Final = 550_000_000
WRITER: Final = 450_000_000
#: Bytes of a number of frozen matrices and of products (bfloat16), and of all others.
_SMALL, _WIDE = 2, 4
#: Each weight of the adapter is there several times: itself, its gradient, two numbers of Adam, a copy of all but the
#: gradient to be saved, and itself for products.
_ADAPTER: Final = 7 * _WIDE + _SMALL
#: Logits and their probabilities, and both again for products.
_LOGIT: Final = 2 * _WIDE + 2 * _SMALL
#: Two chains of operations run side by side (training.tf_threads).
_CHAINS: Final = 2
#: ONNX Runtime's copy of a matrix: int8, and a scale for each 32 numbers (llama.onnx_graph).
_WRITTEN: Final = 1 + _WIDE / 32


def products_per_symbol(config: LlamaConfig) -> int:
    """Return how many frozen weights a symbol is multiplied by."""
    layer = sum(math.prod(shape) for shape in map_shapes(config).values())
    return config.layers * layer + config.symbols * config.width


def bytes_to_write(config: LlamaConfig) -> int:
    """Return about how many bytes a process takes that writes ten texts side by side."""
    return round(WRITER + products_per_symbol(config) * _WRITTEN)


def bytes_to_train(config: LlamaConfig, *, rows: int = ROWS, length: int = LENGTH) -> int:
    """Return about how many bytes a process takes that trains the adapter and writes samples.

    It's for products in bfloat16. With float32, which some processors multiply faster, frozen weights take twice as
    much.
    """
    written = products_per_symbol(config) * _WRITTEN
    return round(TRAINER + bytes_to_learn(config, rows=rows, length=length) + written)


def bytes_to_learn(config: LlamaConfig, *, rows: int = ROWS, length: int = LENGTH) -> int:
    """Return about how many bytes the numbers of a training step take, which are in a GPU's memory if there is one."""
    frozen = sum(map(math.prod, frozen_shapes(config).values())) * _SMALL
    adapter = sum(map(math.prod, adapter_shapes(config).values())) * _ADAPTER
    kept = config.layers * rows * length * _kept_per_place(config, length)
    logits = min(rows * length, _CHAINS * CHUNK) * config.symbols * _LOGIT
    return frozen + adapter + kept + logits


def _kept_per_place(config: LlamaConfig, length: int) -> int:
    """Return the bytes that a layer keeps for the backward pass, for each place of a batch."""
    shapes = map_shapes(config)
    heads, queries = shapes["attend"][1], config.heads * config.head_size
    # The residual stream before each half; inputs of maps, and what is between those of adapters.
    wide = 2 * config.width
    small = sum(shapes[name][0] + config.rank for name in MAPS)
    # Queries, keys and values; queries and keys before they're normed; attention; gate and up.
    small += heads + (queries + (heads - queries) // 2) * config.qk_norm + config.heads * length + 2 * config.hidden
    return _WIDE * wide + _SMALL * small
