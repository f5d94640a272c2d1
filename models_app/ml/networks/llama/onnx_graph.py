"""A decoding step of a Llama with an adapter as a graph for ONNX Runtime, in whose own operations most of it is done.

Matrices are int8, with a float32 scale for each block of 32 inputs: a step reads half as many bytes as in bfloat16, and
processors without bfloat16 are as fast. Sums are in float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from .config import LlamaConfig
from .weights import MAPS, QK_NORMS, adapter_shapes

#: Inputs that share a scale, and the value that stands for 0.
BLOCK: Final = 32
ZERO: Final = 128
#: Columns of a matrix.
_AT_ONCE: Final = 4096
#: Of ONNX Runtime's operations for language models.
_OURS: Final = "com.microsoft"
#: Activations are multiplied as int8, too, rounded block by block.
_INT8_PRODUCTS: Final = 4
#: What ONNX Runtime calls a root mean square norm.
_RMS_NORM: Final = "SimplifiedLayerNormalization"

X, ENDS, LONGEST, WANTED, COSINES, SINES, LOGITS = "x", "ends", "longest", "wanted", "cosines", "sines", "logits"


def past_name(layer: int, part: str) -> str:
    """Return the name of the input with a layer's keys or values; `part` is "key" or "value"."""
    return f"past.{layer}.{part}"


def present_name(layer: int, part: str) -> str:
    """Return the name of the output with a layer's keys or values."""
    return f"present.{layer}.{part}"


def adapter_inputs(config: LlamaConfig, weights: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """Return an adapter's weights as the graph takes them: B already has the adapter's factor."""
    scale = np.float32(config.scale)
    return {
        name: np.ascontiguousarray(np.asarray(weights[name], np.float32) * (scale if name.endswith(".b") else 1))
        for name in adapter_shapes(config)
    }


@dataclass(slots=True)
class Graph:
    """The graph without its weights, and the weights by their names in it.

    Inputs: `x` (S, T, W), the embedded symbols of S texts; `ends` (S,) int32, the place of each text's last symbol;
    `longest` (1,) int32, the symbols of the longest text; `wanted` (B,) int64, the texts whose logits are returned;
    `cosines` and `sines` (P, D / 2) of the rotary angles; keys and values (S, kv_heads, P, D) of each layer, P being
    the places of the cache; the adapter's weights. Outputs: logits (B, V) after the last symbols; keys and values,
    which may be the memory of the inputs.
    """

    model: ModelProto
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)


def graph_of(
    config: LlamaConfig,
    frozen: Mapping[str, NDArray[Any]],
    *,
    exact: bool,
    int8: Mapping[str, NDArray[Any]] | None = None,
) -> Graph:
    """Return the graph. With `exact`, matrices stay float32. `int8`: the others, if they're rounded already."""
    return _Builder(config, frozen, exact, int8 or {}).built()


def head_of(config: LlamaConfig, frozen: Mapping[str, NDArray[Any]]) -> tuple[str, NDArray[Any]]:
    """Return the name of the weights that become logits, and their matrix (W, V)."""
    name = "embedding" if config.tied else "head"
    return name, frozen[name].T


class _Builder:
    def __init__(
        self, config: LlamaConfig, frozen: Mapping[str, NDArray[Any]], exact: bool, int8: Mapping[str, NDArray[Any]]
    ) -> None:
        self._config, self._frozen, self._exact, self._int8 = config, frozen, exact, int8
        self._nodes: list[Any] = []
        self._weights: dict[str, NDArray[Any]] = {}

    def built(self) -> Graph:
        config = self._config
        stream, added = X, ""
        for layer in range(config.layers):
            stream, normed = self._normed(stream, added, f"{layer}.attend_norm")
            heads = self._heads(layer, self._mapped(layer, "attend", normed))
            cache = [past_name(layer, "key"), past_name(layer, "value")]
            self._add(
                "GroupQueryAttention",
                [*heads, *cache, ENDS, LONGEST, COSINES, SINES],
                [f"{layer}.mixed", present_name(layer, "key"), present_name(layer, "value")],
                _OURS,
                num_heads=config.heads,
                kv_num_heads=config.kv_heads,
                do_rotary=1,
                scale=config.attention_scale,
            )
            added = self._added(layer, "attend_out", f"{layer}.mixed")
            stream, normed = self._normed(stream, added, f"{layer}.expand_norm")
            both = self._mapped(layer, "expand", normed)
            gate, up, silu, product = (f"{layer}.{name}" for name in ("gate", "up", "silu", "product"))
            self._add("Split", [both], [gate, up], axis=-1, num_outputs=2)
            # With this factor, it's x * sigmoid(x).
            self._add("QuickGelu", [gate], [silu], _OURS, alpha=1.0)
            self._add("Mul", [silu, up], [product])
            added = self._added(layer, "contract", product)
        # So the logits are divided, too.
        _, normed = self._normed(stream, added, "norm", 1 / config.logits_scaling)
        self._weights |= {"last": np.array(-1, np.int64)}
        self._add("Gather", [normed, "last"], ["ended"], axis=1)
        self._add("Gather", ["ended", WANTED], ["asked"], axis=0)
        self._multiplied("asked", *head_of(config, self._frozen), LOGITS)
        return Graph(self._model(), self._weights)

    def _add(self, kind: str, inputs: list[str], outputs: list[str], domain: str = "", **attributes: Any) -> None:
        self._nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **attributes))

    def _weight(self, name: str, array: NDArray[Any]) -> str:
        self._weights[name] = np.ascontiguousarray(array)
        return name

    def _heads(self, layer: int, joined: str) -> list[str]:
        """Return queries, keys and values side by side, or apart if queries and keys are normed."""
        config = self._config
        if not config.qk_norm:
            return [joined, "", ""]
        parts = [f"{layer}.{part}" for part in ("query", "key", "value")]
        sizes = [config.head_size * heads for heads in (config.heads, config.kv_heads, config.kv_heads)]
        shapes = {"sizes": sizes, "by_head": [0, 0, -1, config.head_size], "flat": [0, 0, -1]}
        for name, value in shapes.items():
            self._add("Constant", [], [f"{layer}.{name}"], value_ints=value)
        self._add("Split", [joined, f"{layer}.sizes"], parts, axis=-1)
        for name in QK_NORMS:
            part, norm = f"{layer}.{name.removesuffix('_norm')}", f"{layer}.{name}"
            weight = self._weight(norm, self._frozen[norm])
            self._add("Reshape", [part, f"{layer}.by_head"], [f"{part}.heads"])
            epsilon = float(config.norm_epsilon)
            self._add(_RMS_NORM, [f"{part}.heads", weight], [f"{norm}.heads"], axis=-1, epsilon=epsilon)
            self._add("Reshape", [f"{norm}.heads", f"{layer}.flat"], [f"{norm}.normed"])
        return [*(f"{layer}.{name}.normed" for name in QK_NORMS), parts[2]]

    def _normed(self, stream: str, added: str, name: str, factor: float = 1.0) -> tuple[str, str]:
        """Return the residual stream with `added` in it, and `factor` times its norm."""
        weight = self._weight(name, self._frozen[name] * np.float32(factor))
        epsilon = float(self._config.norm_epsilon)
        normed, summed = f"{name}.normed", f"{name}.stream"
        if not added:
            self._add(_RMS_NORM, [stream, weight], [normed], axis=-1, epsilon=epsilon)
            return stream, normed
        outputs = [normed, "", "", summed]
        self._add("SkipSimplifiedLayerNormalization", [stream, added, weight], outputs, _OURS, epsilon=epsilon)
        return summed, normed

    def _added(self, layer: int, name: str, x: str) -> str:
        """Return what a layer's map of x adds to the residual stream."""
        mapped, factor = self._mapped(layer, name, x), self._config.residual_multiplier
        if factor == 1:
            return mapped
        times = self._weight("residual_multiplier", np.array(factor, np.float32))
        self._add("Mul", [mapped, times], [f"{layer}.{name}.added"])
        return f"{layer}.{name}.added"

    def _mapped(self, layer: int, name: str, x: str) -> str:
        """Return a layer's map of x, with the adapter if there is one."""
        assert name in MAPS
        mapped = f"{layer}.{name}"
        frozen = self._frozen[mapped]
        if not self._config.rank:
            return self._multiplied(x, mapped, frozen, f"{mapped}.out")
        main, low, high, out = (f"{mapped}.{part}" for part in ("main", "low", "high", "out"))
        self._multiplied(x, mapped, frozen, main)
        self._add("MatMul", [x, f"{mapped}.a"], [low])
        self._add("MatMul", [low, f"{mapped}.b"], [high])
        self._add("Add", [main, high], [out])
        return out

    def _multiplied(self, x: str, name: str, matrix: NDArray[Any], out: str) -> str:
        """Return x @ matrix (I, O), the weights of this name."""
        inputs, outputs = matrix.shape
        if self._exact or inputs % BLOCK:
            self._add("MatMul", [x, self._weight(f"{out}.matrix", matrix.astype(np.float32))], [out])
            return out
        if self._int8:
            numbers, scales = self._int8[f"{name}.numbers"], self._int8[f"{name}.scales"]
        else:
            numbers, scales = rounded(matrix)
        given = [x, self._weight(f"{out}.numbers", numbers), self._weight(f"{out}.scales", scales)]
        sizes = {"K": inputs, "N": outputs, "bits": 8, "block_size": BLOCK}
        self._add("MatMulNBits", given, [out], _OURS, **sizes, accuracy_level=_INT8_PRODUCTS)
        return out

    def _model(self) -> ModelProto:
        graph = helper.make_graph(self._nodes, "llama", list(self._inputs()), list(self._outputs()))
        for name, array in self._weights.items():
            # Given to the session beside the graph, which may be of 2 GB at most.
            tensor = TensorProto(name=name, dims=array.shape, data_type=helper.np_dtype_to_tensor_dtype(array.dtype))
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="given")
            graph.initializer.append(tensor)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(_OURS, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def _inputs(self) -> Iterator[Any]:
        config = self._config
        real, whole, long = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64
        yield helper.make_tensor_value_info(X, real, ["S", "T", config.width])
        yield helper.make_tensor_value_info(ENDS, whole, ["S"])
        yield helper.make_tensor_value_info(LONGEST, whole, [1])
        yield helper.make_tensor_value_info(WANTED, long, ["B"])
        for name in (COSINES, SINES):
            yield helper.make_tensor_value_info(name, real, ["P", config.head_size // 2])
        for name in self._parts(past_name):
            yield helper.make_tensor_value_info(name, real, ["S", config.kv_heads, "P", config.head_size])
        for name, shape in adapter_shapes(config).items():
            yield helper.make_tensor_value_info(name, real, shape)

    def _outputs(self) -> Iterator[Any]:
        config, real = self._config, TensorProto.FLOAT
        yield helper.make_tensor_value_info(LOGITS, real, ["B", config.symbols])
        for name in self._parts(present_name):
            yield helper.make_tensor_value_info(name, real, ["S", config.kv_heads, "P", config.head_size])

    def _parts(self, named: Any) -> list[str]:
        return [named(layer, part) for layer in range(self._config.layers) for part in ("key", "value")]


def rounded(matrix: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return a matrix (I, O) as whole numbers (O, I / BLOCK, BLOCK), ZERO for 0, and a scale (O * I / BLOCK,) for each.

    The largest number of a block is 127 steps from 0, so each is off by half a step at most.
    """
    inputs, outputs = matrix.shape
    numbers = np.empty((outputs, inputs // BLOCK, BLOCK), np.uint8)
    scales = np.empty(numbers.shape[:2], np.float32)
    # Not all at once, because float32 takes four times the memory of the result.
    for begin in range(0, outputs, _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        blocks = np.ascontiguousarray(matrix[:, some].T).astype(np.float32).reshape(numbers[some].shape)
        scales[some] = np.maximum(np.abs(blocks).max(axis=-1), np.finfo(np.float32).tiny) / np.float32(127)
        blocks /= scales[some, :, None]
        numbers[some] = np.rint(blocks, out=blocks) + ZERO
    return numbers, scales.reshape(-1)
