"""A small network as a TensorFlow.js graph model of one step: model.json and weights.bin.

Inputs and outputs are those of `steps`: integers are int32, and the caller computes `rows`. Weights stay float16 in the
file, which TensorFlow.js reads as float32. The format: tfjs-core/src/io/types.ts, tfjs-converter/src/data/types.ts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from models_app.ml.config import NetworkConfig
from models_app.ml.networks.gated_linear_rnn import EPSILON
from models_app.ml.networks.lstm import HARD_SLOPE

from .steps import ROWS, SYMBOL, Array, Node, step_graph

MODEL: Final = "model.json"
WEIGHTS: Final = "weights.bin"
_FLOAT: Final = {"type": "DT_FLOAT"}
_INT: Final = {"type": "DT_INT32"}
_SIMPLE: Final = {
    "add": "AddV2",
    "subtract": "Sub",
    "multiply": "Mul",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
}
_STORED: Final = {"float32": "<f4", "float16": "<f2", "int32": "<i4"}


def tfjs_files(config: NetworkConfig, weights: Mapping[str, Array], notes: Mapping[str, str]) -> dict[str, bytes]:
    """Return the content of the model's files by name; `notes` become the model's metadata."""
    graph = step_graph(config, weights)
    parts = _Parts()
    for node in graph.nodes.values():
        parts.add(node)
    model = {
        "format": "graph-model",
        "generatedBy": "Bot Factory",
        "convertedBy": None,
        "userDefinedMetadata": dict(notes),
        "signature": {
            "inputs": {node.name: _signature(node) for node in graph.inputs},
            "outputs": {name: _signature(graph.nodes[name]) for name in graph.outputs},
        },
        "modelTopology": {"node": parts.nodes, "library": {}, "versions": {"producer": 1395}},
        "weightsManifest": [{"paths": [WEIGHTS], "weights": parts.manifest}],
    }
    return {MODEL: json.dumps(model, ensure_ascii=False).encode(), WEIGHTS: b"".join(parts.data)}


def _signature(node: Node) -> dict[str, Any]:
    kind = "DT_INT32" if node.name in (SYMBOL, ROWS) else "DT_FLOAT"
    return {"name": f"{node.name}:0", "dtype": kind, "tensorShape": _shape(("-1", *node.shape))}


def _shape(sizes: tuple[int | str, ...]) -> dict[str, Any]:
    return {"dim": [{"size": str(size)} for size in sizes]}


class _Parts:
    """The nodes and weights of a graph model while it's put together."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.manifest: list[dict[str, Any]] = []
        self.data: list[bytes] = []

    def add(self, node: Node) -> None:
        """Add what computes the node."""
        name, first = node.name, node.inputs[0] if node.inputs else ""
        match node.operation:
            case "input":
                kind = _INT if name in (SYMBOL, ROWS) else _FLOAT
                self._put("Placeholder", [], name, dtype=kind, shape={"shape": _shape(("-1", *node.shape))})
            case "embedding":
                table = self._constant(f"{name}/table", node.weights[0])
                axis = self._constant(f"{name}/axis", np.array(0, np.int32))
                self._put("GatherV2", [table, first, axis], name, Tparams=_FLOAT, Tindices=_INT, Taxis=_INT)
            case "flatten":
                shape = self._constant(f"{name}/shape", np.array([-1, *node.shape], np.int32))
                self._put("Reshape", [first, shape], name, T=_FLOAT, Tshape=_INT)
            case "concatenate":
                axis = self._constant(f"{name}/axis", np.array(1, np.int32))
                self._put("ConcatV2", [*node.inputs, axis], name, T=_FLOAT, Tidx=_INT, N={"i": str(len(node.inputs))})
            case "dense":
                kernel = self._constant(f"{name}/kernel", node.weights[0])
                is_biased = len(node.weights) > 1
                product = f"{name}/product" if is_biased else name
                plain = {"transpose_a": {"b": False}, "transpose_b": {"b": False}}
                self._put("MatMul", [first, kernel], product, T=_FLOAT, **plain)
                if is_biased:
                    self._put("AddV2", [product, self._constant(f"{name}/bias", node.weights[1])], name, T=_FLOAT)
            case "rms_norm":
                scale = self._constant(f"{name}/scale", node.weights[0])
                axis = self._constant(f"{name}/axis", np.array([-1], np.int32))
                epsilon = self._constant(f"{name}/epsilon", np.array(EPSILON, np.float32))
                self._put("Mul", [first, first], f"{name}/squares", T=_FLOAT)
                self._put("Mean", [f"{name}/squares", axis], f"{name}/mean", T=_FLOAT, Tidx=_INT, keep_dims={"b": True})
                self._put("AddV2", [f"{name}/mean", epsilon], f"{name}/above", T=_FLOAT)
                self._put("Rsqrt", [f"{name}/above"], f"{name}/factor", T=_FLOAT)
                self._put("Mul", [first, f"{name}/factor"], f"{name}/unit", T=_FLOAT)
                self._put("Mul", [f"{name}/unit", scale], name, T=_FLOAT)
            case "silu":
                self._put("Sigmoid", [first], f"{name}/gate", T=_FLOAT)
                self._put("Mul", [first, f"{name}/gate"], name, T=_FLOAT)
            case "hard_sigmoid":
                numbers = {"slope": HARD_SLOPE, "middle": 0.5, "low": 0.0, "high": 1.0}
                parts = {
                    key: self._constant(f"{name}/{key}", np.array(value, np.float32)) for key, value in numbers.items()
                }
                self._put("Mul", [first, parts["slope"]], f"{name}/scaled", T=_FLOAT)
                self._put("AddV2", [f"{name}/scaled", parts["middle"]], f"{name}/moved", T=_FLOAT)
                self._put("ClipByValue", [f"{name}/moved", parts["low"], parts["high"]], name, T=_FLOAT)
            case operation:
                self._put(_SIMPLE[operation], list(node.inputs), name, T=_FLOAT)

    def _constant(self, name: str, array: Array) -> str:
        kind = str(array.dtype)
        entry: dict[str, Any] = {"name": name, "shape": list(array.shape), "dtype": kind}
        if kind == "float16":
            entry |= {"dtype": "float32", "quantization": {"dtype": "float16", "original_dtype": "float32"}}
        self.manifest.append(entry)
        self.data.append(np.ascontiguousarray(array, _STORED[kind]).tobytes())
        dtype = "DT_INT32" if kind == "int32" else "DT_FLOAT"
        value = {"tensor": {"dtype": dtype, "tensorShape": _shape(array.shape)}}
        self._put("Const", [], name, dtype={"type": dtype}, value=value)
        return name

    def _put(self, operation: str, inputs: list[str], output: str, **attributes: Any) -> None:
        node: dict[str, Any] = {"name": output, "op": operation, "attr": attributes}
        if inputs:
            node["input"] = inputs
        self.nodes.append(node)
