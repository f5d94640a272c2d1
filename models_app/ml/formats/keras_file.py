"""A small network as a `.keras` file of stock layers, which `keras.saving.load_model` opens without any code of ours.

An LSTM is Keras' own layers and reads texts of any length: symbols (B, T), h and c, each (B, H). It returns logits
(B, T, size) and the new h and c. A gated linear RNN is one step (`steps`), since Keras has no layer of its kind.
The file is a zip of the model's configuration and its weights in HDF5 (keras/src/saving/saving_lib.py). Keras names
the groups of the weights by class and by the order of the layers, so the order here has to be Keras' own.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from models_app.ml.config import NetworkConfig
from models_app.ml.networks.gated_linear_rnn import EPSILON
from models_app.ml.networks.lstm import HARD_SLOPE
from models_app.ml.vocabulary import vocabulary_of

from .steps import ROWS, SYMBOL, Array, Node, StepGraph, step_graph

CONFIG: Final = "config.json"
METADATA: Final = "metadata.json"
WEIGHTS: Final = "model.weights.h5"
#: Keras has RMSNormalization since this version.
KERAS_VERSION: Final = "3.9.0"
_MERGES: Final = {"add": "Add", "subtract": "Subtract", "multiply": "Multiply"}
_ACTIVATIONS: Final = ("sigmoid", "tanh", "silu")


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer: its class, arguments, the shapes of its results, the (layer, place) of its inputs, and its weights.

    Shapes include the batch. The weights are in `group` in the file.
    """

    name: str
    kind: str
    settings: dict[str, Any]
    shapes: tuple[tuple[int | None, ...], ...]
    inputs: tuple[tuple[str, int], ...] = ()
    weights: tuple[Array, ...] = ()
    group: str = "vars"


def keras_files(config: NetworkConfig, weights: Mapping[str, Array]) -> dict[str, bytes]:
    """Return the content of the files inside the `.keras` file by name."""
    if config.kind == "lstm":
        layers, inputs, outputs = _lstm(config, weights)
    else:
        layers, inputs, outputs = _steps(step_graph(config, weights))
    known = {layer.name: layer for layer in layers}
    content = {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {
            "name": "bot",
            "trainable": True,
            "layers": [_described(layer, known) for layer in layers],
            "input_layers": [[name, 0, 0] for name in inputs],
            "output_layers": [[name, 0, place] for name, place in outputs],
        },
        "registered_name": "Functional",
        "build_config": {"input_shape": None},
        "compile_config": {},
    }
    metadata = {"keras_version": KERAS_VERSION, "date_saved": "2026-01-01@00:00:00"}
    return {
        METADATA: json.dumps(metadata).encode(),
        CONFIG: json.dumps(content).encode(),
        WEIGHTS: _stored(_in_keras_order(layers, outputs)),
    }


def _lstm(config: NetworkConfig, weights: Mapping[str, Array]) -> tuple[list[_Layer], list[str], list[tuple[str, int]]]:
    size, states = vocabulary_of(config).size, ("h", "c")
    layers = [
        _input("symbols", (None,), "int32"),
        *(_input(state, (config.units,), "float32") for state in states),
        _Layer(
            "embedding",
            "Embedding",
            {"input_dim": size, "output_dim": config.embedding},
            ((None, None, config.embedding),),
            (("symbols", 0),),
            (weights["embedding"],),
        ),
        _Layer(
            "lstm",
            "LSTM",
            {
                "units": config.units,
                "activation": "tanh",
                "recurrent_activation": config.gates,
                "return_sequences": True,
                "return_state": True,
            },
            ((None, None, config.units), (None, config.units), (None, config.units)),
            (("embedding", 0), *((state, 0) for state in states)),
            tuple(_for_gates(config, weights[name]) for name in ("kernel", "recurrent", "bias")),
            "cell/vars",
        ),
        _Layer(
            "logits",
            "Dense",
            {"units": size, "activation": "linear"},
            ((None, None, size),),
            (("lstm", 0),),
            (weights["output_kernel"], weights["output_bias"]),
        ),
    ]
    return layers, ["symbols", *states], [("logits", 0), ("lstm", 1), ("lstm", 2)]


def _for_gates(config: NetworkConfig, array: Array) -> Array:
    """Return a weight of the LSTM. The hard sigmoid of Keras 3 is flatter than ours, so its inputs are larger."""
    if config.gates == "sigmoid":
        return array
    factors = np.full(4 * config.units, HARD_SLOPE * 6)
    factors[2 * config.units : 3 * config.units] = 1
    return np.asarray(array * factors, np.float32)


def _steps(graph: StepGraph) -> tuple[list[_Layer], list[str], list[tuple[str, int]]]:
    layers = [_layer_of(node) for node in graph.nodes.values()]
    return layers, [node.name for node in graph.inputs], [(name, 0) for name in graph.outputs]


def _layer_of(node: Node) -> _Layer:
    inputs = tuple((name, 0) for name in node.inputs)
    match node.operation:
        case "input":
            return _input(node.name, node.shape, "int32" if node.name in (SYMBOL, ROWS) else "float32")
        case "embedding":
            kind, settings = "Embedding", dict(zip(("input_dim", "output_dim"), node.weights[0].shape, strict=True))
        case "flatten":
            kind, settings = "Flatten", {}
        case "concatenate":
            kind, settings = "Concatenate", {"axis": -1}
        case "dense":
            kind, settings = "Dense", {"units": node.shape[0], "use_bias": len(node.weights) > 1}
        case "rms_norm":
            kind, settings = "RMSNormalization", {"axis": [-1], "epsilon": EPSILON}
        case operation:
            kind = _MERGES.get(operation, "Activation")
            settings = {"activation": operation} if operation in _ACTIVATIONS else {}
    return _Layer(node.name, kind, settings, ((None, *node.shape),), inputs, node.weights)


def _input(name: str, shape: Sequence[int | None], dtype: str) -> _Layer:
    return _Layer(name, "InputLayer", {"batch_shape": [None, *shape], "dtype": dtype}, ((None, *shape),))


def _described(layer: _Layer, known: Mapping[str, _Layer]) -> dict[str, Any]:
    """Return the layer as Keras' configuration has it; `known` are all layers by name."""
    dtype = {} if layer.kind == "InputLayer" else {"trainable": True, "dtype": "float32"}
    inputs: list[Any] = [
        {
            "class_name": "__keras_tensor__",
            "config": {
                "shape": list(known[name].shapes[place]),
                "dtype": known[name].settings.get("dtype", "float32"),
                "keras_history": [name, 0, place],
            },
        }
        for name, place in layer.inputs
    ]
    call: dict[str, Any] = {"args": inputs, "kwargs": {}}
    if layer.kind == "LSTM":
        call = {"args": inputs[:1], "kwargs": {"initial_state": inputs[1:]}}
    elif len(inputs) > 1:
        call = {"args": [inputs], "kwargs": {}}
    return {
        "module": "keras.layers",
        "class_name": layer.kind,
        "config": {"name": layer.name, **dtype, **layer.settings},
        "registered_name": None,
        "name": layer.name,
        "inbound_nodes": [call] if inputs else [],
    }


def _in_keras_order(layers: Sequence[_Layer], outputs: Sequence[tuple[str, int]]) -> list[_Layer]:
    """Return the layers by falling distance from the outputs, then by first visit from them (ops/function.py)."""
    known = {layer.name: layer for layer in layers}
    visited: dict[str, int] = {}

    def visit(name: str) -> None:
        if name not in visited:
            visited[name] = len(visited)
            for before, _ in known[name].inputs:
                visit(before)

    for name, _ in outputs:
        visit(name)
    depths = dict.fromkeys(known, 0)
    for layer in reversed(layers):
        for before, _ in layer.inputs:
            depths[before] = max(depths[before], depths[layer.name] + 1)
    return sorted(layers, key=lambda layer: (-depths[layer.name], visited[layer.name]))


def _stored(layers: Sequence[_Layer]) -> bytes:
    """Return the HDF5 file with the layers' weights in float32."""
    # Imported late: only who downloads this format needs it.
    import h5py

    file, counts = io.BytesIO(), dict[str, int]()
    with h5py.File(file, "w") as store:
        store.create_group("vars")
        for layer in layers:
            kind = _SNAKE.get(layer.kind, layer.kind.lower())
            number = counts[kind] = counts.get(kind, -1) + 1
            place = f"layers/{kind}" + (f"_{number}" if number else "")
            store.require_group(f"{place}/vars").attrs["name"] = layer.name
            group = store.require_group(f"{place}/{layer.group}")
            for index, array in enumerate(layer.weights):
                group.create_dataset(str(index), data=np.asarray(array, np.float32))
    return file.getvalue()


#: Class names with more than one word, as Keras writes them in the file.
_SNAKE: Final = {"InputLayer": "input_layer", "RMSNormalization": "rms_normalization"}
