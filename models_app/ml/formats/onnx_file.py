"""A small network as an ONNX model of one step, which also computes its contexts.

Inputs: symbol (B,) int64, each state (B, H), and for a network with contexts `keys` (B, contexts) int64, their keys.
Outputs: logits (B, size) and each new state, `next_...`. Weights stay float16 in the file and are computed in float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, Final

import numpy as np

from models_app.ml.config import NetworkConfig
from models_app.ml.networks import hashed_ngrams
from models_app.ml.networks.gated_linear_rnn import EPSILON
from models_app.ml.networks.lstm import HARD_SLOPE
from models_app.ml.vocabulary import vocabulary_of

from .steps import ROWS, SYMBOL, Array, Node, StepGraph, step_graph

#: Read by ONNX Runtime 1.17 and later.
OPSET: Final = 18
IR_VERSION: Final = 9
KEYS: Final = "keys"
_SIMPLE: Final = {"add": "Add", "subtract": "Sub", "multiply": "Mul", "sigmoid": "Sigmoid", "tanh": "Tanh"}


def write_onnx(config: NetworkConfig, weights: Mapping[str, Array], notes: Mapping[str, str], out: IO[bytes]) -> None:
    """Write the network to `out`; `notes` become the model's metadata."""
    # Imported late: only who downloads this format needs it.
    from onnx import TensorProto, helper

    graph = step_graph(config, weights)
    parts = _Parts(graph)
    inputs = [helper.make_tensor_value_info(SYMBOL, TensorProto.INT64, ["batch"])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", *graph.nodes["logits"].shape])]
    for state, following in graph.states.items():
        shape = ["batch", *graph.nodes[state].shape]
        inputs.append(helper.make_tensor_value_info(state, TensorProto.FLOAT, shape))
        outputs.append(helper.make_tensor_value_info(following, TensorProto.FLOAT, shape))
    if config.contexts:
        shape = ["batch", len(config.contexts)]
        inputs.append(helper.make_tensor_value_info(KEYS, TensorProto.INT64, shape))
        outputs.append(helper.make_tensor_value_info(f"next_{KEYS}", TensorProto.INT64, shape))
        parts.hash(config)
    for node in graph.nodes.values():
        parts.add(node)
    model = helper.make_model(
        helper.make_graph(parts.nodes, "step", inputs, outputs, parts.constants),
        producer_name="Bot Factory",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    helper.set_model_props(model, dict(notes))
    out.write(model.SerializeToString(deterministic=True))


class _Parts:
    """The nodes and constants of an ONNX graph while it's put together."""

    def __init__(self, graph: StepGraph) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._known = graph.nodes

    def add(self, node: Node) -> None:
        """Add what computes the node."""
        name, first = node.name, node.inputs[0] if node.inputs else ""
        match node.operation:
            case "input":
                return
            case "embedding":
                table = self._constant(f"{name}_table", node.weights[0])
                half = node.weights[0].dtype != np.float32
                self._put("Gather", [table, first], f"{name}_half" if half else name)
                if half:
                    self._put("Cast", [f"{name}_half"], name, to=1)
            case "flatten":
                self._put("Flatten", [first], name, axis=1)
            case "concatenate":
                self._put("Concat", list(node.inputs), name, axis=-1)
            case "dense":
                kernel = self._number(f"{name}_kernel", node.weights[0])
                bias = [self._number(f"{name}_bias", each) for each in node.weights[1:]]
                self._put("Gemm" if bias else "MatMul", [first, kernel, *bias], name)
            case "rms_norm":
                scale = self._number(f"{name}_scale", node.weights[0])
                axis = self._constant(f"{name}_axis", np.array([-1]))
                epsilon = self._constant(f"{name}_epsilon", np.array(EPSILON, np.float32))
                self._put("Mul", [first, first], f"{name}_squares")
                self._put("ReduceMean", [f"{name}_squares", axis], f"{name}_mean", keepdims=1)
                self._put("Add", [f"{name}_mean", epsilon], f"{name}_above")
                self._put("Sqrt", [f"{name}_above"], f"{name}_root")
                self._put("Div", [first, f"{name}_root"], f"{name}_unit")
                self._put("Mul", [f"{name}_unit", scale], name)
            case "silu":
                self._put("Sigmoid", [first], f"{name}_gate")
                self._put("Mul", [first, f"{name}_gate"], name)
            case "hard_sigmoid":
                self._put("HardSigmoid", [first], name, alpha=HARD_SLOPE, beta=0.5)
            case operation:
                self._put(_SIMPLE[operation], list(node.inputs), name)

    def hash(self, config: NetworkConfig) -> None:
        """Add what computes the rows of the contexts and their new keys, as hashed_ngrams does."""
        rule = hashed_ngrams.Contexts.of(config.contexts, vocabulary_of(config)).rule
        bits = config.context_rows.bit_length() - 1
        begins = np.arange(len(config.contexts)) * config.context_rows
        for name, value in {"multiplier": rule.multiplier, "plus": rule.plus, "mask": rule.mask}.items():
            self._constant(f"{KEYS}_{name}", value)
        constants = {
            "low": hashed_ngrams.LOW,
            "low_multiplier": hashed_ngrams.LOW_MULTIPLIER,
            "high": hashed_ngrams.LOW + 1,
            "high_multiplier": hashed_ngrams.HIGH_MULTIPLIER,
            "mixed": hashed_ngrams.MIXED,
            "divisor": 2 ** (32 - bits),
        }
        for name, number in constants.items():
            self._constant(f"hash_{name}", np.array(number))
        self._put("Gather", [f"{KEYS}_multiplier", SYMBOL], "keys_times")
        self._put("Gather", [f"{KEYS}_plus", SYMBOL], "keys_plus_symbol")
        self._put("Mul", [KEYS, "keys_times"], "keys_product")
        self._put("Add", ["keys_product", "keys_plus_symbol"], "keys_sum")
        self._put("BitwiseAnd", ["keys_sum", f"{KEYS}_mask"], f"next_{KEYS}")
        self._put("BitwiseAnd", [f"next_{KEYS}", "hash_low"], "hash_low_bits")
        self._put("Mul", ["hash_low_bits", "hash_low_multiplier"], "hash_low_part")
        # Keys are never negative, so a division shifts.
        self._put("Div", [f"next_{KEYS}", "hash_high"], "hash_high_bits")
        self._put("Mul", ["hash_high_bits", "hash_high_multiplier"], "hash_high_part")
        self._put("Add", ["hash_low_part", "hash_high_part"], "hash_sum")
        self._put("BitwiseAnd", ["hash_sum", "hash_mixed"], "hash_kept")
        self._put("Div", ["hash_kept", "hash_divisor"], "hash_row")
        self._put("Add", ["hash_row", self._constant("hash_begins", begins)], ROWS)

    def _number(self, name: str, array: Array) -> str:
        """Add a constant and return the name of its float32 values."""
        if array.dtype == np.float32:
            return self._constant(name, array)
        self._put("Cast", [self._constant(f"{name}_half", array)], name, to=1)
        return name

    def _constant(self, name: str, array: Array) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name))
        return name

    def _put(self, operation: str, inputs: list[str], output: str, **attributes: Any) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(operation, inputs, [output], name=output, **attributes))
