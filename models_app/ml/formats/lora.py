"""An adapter by the maps of a publisher's Llama: our layers multiply some of these side by side (llama.weights)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.networks.llama.config import LlamaConfig

Array = NDArray[Any]
#: What Hugging Face's models call the list of layers.
LAYERS: Final = "model.layers"


@dataclass(frozen=True, slots=True)
class Map:
    """A map of a layer: its names for Hugging Face and llama.cpp, and our map with its columns there.

    turns: whether its outputs are turned by the position, so that llama.cpp stores them in another order.
    """

    hugging_face: str
    llama_cpp: str
    ours: str
    columns: slice
    turns: bool = False


@dataclass(frozen=True, slots=True)
class Adapted:
    """What the adapter adds to a map: scale * b @ a, with a (rank, inputs) and b (outputs, rank)."""

    layer: int
    map: Map
    a: Array
    b: Array


def maps_of(config: LlamaConfig) -> list[Map]:
    """Return the maps of a layer."""
    queries = config.heads * config.head_size
    keys = queries + config.kv_heads * config.head_size
    everything = slice(None)
    return [
        Map("self_attn.q_proj", "attn_q", "attend", slice(queries), turns=True),
        Map("self_attn.k_proj", "attn_k", "attend", slice(queries, keys), turns=True),
        Map("self_attn.v_proj", "attn_v", "attend", slice(keys, None)),
        Map("self_attn.o_proj", "attn_output", "attend_out", everything),
        Map("mlp.gate_proj", "ffn_gate", "expand", slice(config.hidden)),
        Map("mlp.up_proj", "ffn_up", "expand", slice(config.hidden, None)),
        Map("mlp.down_proj", "ffn_down", "contract", everything),
    ]


def adapted(config: LlamaConfig, weights: Mapping[str, Array]) -> Iterator[Adapted]:
    """Yield what an adapter adds to each map of each layer, in the type that the weights have."""
    for layer in range(config.layers):
        for each in maps_of(config):
            a, b = weights[f"{layer}.{each.ours}.a"], weights[f"{layer}.{each.ours}.b"]
            yield Adapted(layer, each, a.T, b[:, each.columns].T)


def side_by_side(matrix: Array, head_size: int) -> Array:
    """Return the rows of each head as llama.cpp has them: the two numbers of a rotary pair side by side."""
    outputs, inputs = matrix.shape
    halves = matrix.reshape(outputs // head_size, 2, head_size // 2, inputs)
    return np.ascontiguousarray(halves.transpose(0, 2, 1, 3)).reshape(outputs, inputs)
