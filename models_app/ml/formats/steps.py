"""One step of a small network as a graph of a few operations that every library has.

A post is written symbol by symbol. The first symbol is the end mark of the vocabulary, read with all states zero. A
step maps the symbol and the states to the logits of the next symbol and the new states. Contexts (hashed_ngrams) are an
input of their own, `rows`: the row of each context in one table, in which the contexts' tables follow each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from models_app.ml.config import NetworkConfig
from models_app.ml.networks.gated_linear_rnn import embedding_factor
from models_app.ml.networks.hashed_ngrams import table_name

SYMBOL: Final = "symbol"
ROWS: Final = "rows"
LOGITS: Final = "logits"

Operation = Literal[
    "input",
    "embedding",
    "flatten",
    "concatenate",
    "dense",
    "rms_norm",
    "add",
    "subtract",
    "multiply",
    "sigmoid",
    "hard_sigmoid",
    "tanh",
    "silu",
]
Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Node:
    """An operation. `shape` is that of its result without the batch; `weights` are as stored, float16 or float32.

    embedding: (table (rows, width),) looked up by integers; dense: (kernel (inputs, outputs), bias (outputs,) if any);
    rms_norm: (scale (width,),). A hard_sigmoid is clip(x / 5 + 1 / 2, 0, 1). The inputs SYMBOL and ROWS are integers.
    """

    name: str
    operation: Operation
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    weights: tuple[Array, ...] = ()


@dataclass(slots=True)
class StepGraph:
    """Nodes, each after its inputs. `outputs`: the logits, then each state, by the name of its node.

    states: the output that becomes an input of the next step, by the name of that input.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.operation == "input"]

    @property
    def outputs(self) -> list[str]:
        return [LOGITS, *self.states.values()]

    def put(
        self,
        name: str,
        operation: Operation,
        inputs: tuple[str, ...] = (),
        *weights: Array,
        shape: tuple[int, ...] = (),
    ) -> str:
        """Add a node and return its name. Its shape follows from its inputs; only an input needs `shape`."""
        shapes = [self.nodes[each].shape for each in inputs]
        if operation == "embedding":
            shape = (*shapes[0], weights[0].shape[1])
        elif operation == "flatten":
            shape = (int(np.prod(shapes[0])),)
        elif operation == "concatenate":
            shape = (sum(each[0] for each in shapes),)
        elif operation == "dense":
            shape = (weights[0].shape[1],)
        elif operation != "input":
            shape = shapes[0]
        self.nodes[name] = Node(name, operation, inputs, shape, weights)
        return name


def step_graph(config: NetworkConfig, weights: Mapping[str, Array]) -> StepGraph:
    """Return one step of the network with these weights, by the checkpoint's names."""
    return {"lstm": _lstm, "glr": _glr}[config.kind](config, weights)


def _lstm(config: NetworkConfig, weights: Mapping[str, Array]) -> StepGraph:
    """Gates in Keras' order: i, f, c, o (networks.lstm)."""
    graph, n = StepGraph(), config.units
    put = graph.put
    put(SYMBOL, "input")
    put("h", "input", shape=(n,))
    put("c", "input", shape=(n,))
    put("embedding", "embedding", (SYMBOL,), weights["embedding"])
    put("read", "concatenate", ("embedding", "h"))
    kernel = np.concatenate([weights["kernel"], weights["recurrent"]])
    squashes: dict[str, Operation] = {
        "input_gate": config.gates,
        "forget_gate": config.gates,
        "candidate": "tanh",
        "output_gate": config.gates,
    }
    for place, (gate, squash) in enumerate(squashes.items()):
        part = slice(place * n, (place + 1) * n)
        put(f"{gate}_sum", "dense", ("read",), kernel[:, part], weights["bias"][part])
        put(gate, squash, (f"{gate}_sum",))
    put("kept", "multiply", ("forget_gate", "c"))
    put("added", "multiply", ("input_gate", "candidate"))
    put("next_c", "add", ("kept", "added"))
    put("squashed", "tanh", ("next_c",))
    put("next_h", "multiply", ("output_gate", "squashed"))
    put(LOGITS, "dense", ("next_h",), weights["output_kernel"], weights["output_bias"])
    graph.states = {"h": "next_h", "c": "next_c"}
    return graph


def _glr(config: NetworkConfig, weights: Mapping[str, Array]) -> StepGraph:
    """The formulas are in networks.gated_linear_rnn."""
    graph, n = StepGraph(), config.units
    put = graph.put
    put(SYMBOL, "input")
    x = put("embedding", "embedding", (SYMBOL,), _as_read(config, weights["embedding"]))
    if config.contexts:
        places = range(len(config.contexts))
        put(ROWS, "input", shape=(len(config.contexts),))
        table = np.concatenate([weights[table_name(place)] for place in places])
        put("contexts", "embedding", (ROWS,), table)
        put("contexts_flat", "flatten", ("contexts",))
        x = put("read", "concatenate", (x, "contexts_flat"))
    x = put("entered", "dense", (x,), weights["input_kernel"])
    for layer in range(config.layers):
        state = put(f"c_{layer}", "input", shape=(n,))
        name = f"layer_{layer}"
        normed = put(f"{name}_normed", "rms_norm", (x,), weights[f"{name}_scale"])
        parts = []
        for place, part in enumerate(("candidate", "forget", "output")):
            columns = slice(place * n, (place + 1) * n)
            kernel, bias = weights[f"{name}_kernel"][:, columns], weights[f"{name}_bias"][columns]
            parts.append(put(f"{name}_{part}", "dense", (normed,), kernel, bias))
        candidate, forget, output = parts
        forget = put(f"{name}_forget_gate", "sigmoid", (forget,))
        output = put(f"{name}_output_gate", "sigmoid", (output,))
        difference = put(f"{name}_difference", "subtract", (state, candidate))
        kept = put(f"{name}_kept", "multiply", (forget, difference))
        graph.states[state] = put(f"next_c_{layer}", "add", (candidate, kept))
        silu = put(f"{name}_silu", "silu", (f"next_c_{layer}",))
        gated = put(f"{name}_gated", "multiply", (silu, output))
        projected = put(f"{name}_projected", "dense", (gated,), weights[f"{name}_projection"])
        x = put(f"{name}_sum", "add", (x, projected))
    x = put("output_normed", "rms_norm", (x,), weights["output_scale"])
    kernel = weights["output_kernel"]
    if config.tied:
        x = put("written", "dense", (x,), kernel)
        kernel = np.ascontiguousarray(weights["embedding"].T)
    put(LOGITS, "dense", (x,), kernel, weights["output_bias"])
    return graph


def _as_read(config: NetworkConfig, embedding: Array) -> Array:
    """Return the table of the embedding as the network reads it, in float16 if that loses nothing."""
    read: Array = embedding.astype(np.float32) * np.float32(embedding_factor(config))
    half = read.astype(embedding.dtype)
    return half if np.array_equal(half, read) else read
