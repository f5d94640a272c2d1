"""An adapter by the maps of a publisher's Llama: our layers multiply some of these side by side (llama.weights)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.networks.llama.config import GRANITE_4, QWEN3, LlamaConfig

Array = NDArray[Any]
#: What Hugging Face's models call the list of layers.
LAYERS: Final = "model.layers"
#: Its names of llama.cpp's maps.
_HUGGING_FACE: Final = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


@dataclass(frozen=True, slots=True)
class Map:
    """A map of a layer: its publisher's name, and our map with its columns there.

    turns: whether its outputs are turned by the position and llama.cpp therefore stores them in another order.
    """

    name: str
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


def llama_cpp_maps(config: LlamaConfig) -> list[Map]:
    """Return the maps of a layer by llama.cpp's names."""
    queries = config.heads * config.head_size
    keys = queries + config.kv_heads * config.head_size
    everything, turns = slice(None), config.architecture != QWEN3
    return [
        Map("attn_q", "attend", slice(queries), turns=turns),
        Map("attn_k", "attend", slice(queries, keys), turns=turns),
        Map("attn_v", "attend", slice(keys, None)),
        Map("attn_output", "attend_out", everything),
        Map("ffn_gate", "expand", slice(config.hidden)),
        Map("ffn_up", "expand", slice(config.hidden, None)),
        Map("ffn_down", "contract", everything),
    ]


def hugging_face_maps(config: LlamaConfig) -> list[Map]:
    """Return the maps of a layer by Hugging Face's names. Granite 4.0 multiplies gate and up at once, as we do."""
    found = [replace(each, name=_HUGGING_FACE[each.name]) for each in llama_cpp_maps(config)]
    if config.architecture != GRANITE_4:
        return found
    whole = [Map("shared_mlp.input_linear", "expand", slice(None)), replace(found[-1], name="shared_mlp.output_linear")]
    return [*(each for each in found if each.ours.startswith("attend")), *whole]


def adapted(config: LlamaConfig, weights: Mapping[str, Array], maps: Sequence[Map]) -> Iterator[Adapted]:
    """Yield what an adapter adds to each of these maps of each layer, in the type that the weights have."""
    for layer in range(config.layers):
        for each in maps:
            a, b = weights[f"{layer}.{each.ours}.a"], weights[f"{layer}.{each.ours}.b"]
            yield Adapted(layer, each, a.T, b[:, each.columns].T)


def side_by_side(matrix: Array, head_size: int) -> Array:
    """Return the rows of each head as llama.cpp has them: the two numbers of a rotary pair side by side."""
    outputs, inputs = matrix.shape
    halves = matrix.reshape(outputs // head_size, 2, head_size // 2, inputs)
    return np.ascontiguousarray(halves.transpose(0, 2, 1, 3)).reshape(outputs, inputs)
