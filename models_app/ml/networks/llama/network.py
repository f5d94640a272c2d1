"""A Llama with an adapter in TensorFlow: the forward pass over packed rows, for training and evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

from .config import LlamaConfig
from .ops import adapted_map, attention, frozen_map, rms_norm, rotated, swiglu
from .weights import adapter_shapes, layer_names

Tensor = Any
#: The weights of a layer by their names in it.
Weights = Mapping[str, Tensor]
#: Added to the scores of places that a symbol must not see.
HIDDEN = -1e9


def frozen_tensors(weights: Mapping[str, NDArray[Any]], kind: str) -> dict[str, Tensor]:
    """Return the frozen weights as tensors: matrices in the dtype `kind`, vectors in float32."""
    return {
        name: tf.constant(array if array.ndim == 2 else array.astype("float32"), kind if array.ndim == 2 else "float32")
        for name, array in weights.items()
    }


def adapter_variables(config: LlamaConfig) -> dict[str, Any]:
    """Return variables for the adapter's weights by name, which are zero until set."""
    return {name: tf.Variable(tf.zeros(shape), name=name) for name, shape in adapter_shapes(config).items()}


class LlamaNetwork:
    """A Llama. The frozen weights are constants that several networks may share; the adapter's are any tensors."""

    def __init__(self, config: LlamaConfig, frozen: Mapping[str, Tensor], adapter: Mapping[str, Tensor]) -> None:
        self.config = config
        self.frozen = frozen
        self.adapter = adapter
        self.products = frozen["embedding"].dtype
        # All layers call one function, so a graph has its operations once: building a training's takes a few seconds
        # instead of half a minute. AutoGraph would only cost time.
        self._block = tf.function(self._whole_layer, autograph=False)

    @property
    def head(self) -> Tensor:
        """The output embedding (V, W)."""
        return self.frozen["embedding" if self.config.tied else "head"]

    def angles(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cosines and sines of the rotary angles at positions (N,), each (N, 1, D / 2)."""
        turned = tf.cast(positions, tf.float32)[:, None, None] * self.frozen["rotary"]
        return tf.cos(turned), tf.sin(turned)

    def layer(self, number: int) -> Weights:
        """Return the weights of a layer by their names in it."""
        names = layer_names(self.config)
        return {name: self._named(f"{number}.{name}") for name in names}

    def hidden(self, symbols: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """Return the states before the output embedding, (R * T, W) float32.

        symbols (R, T); positions (R, T), each post's own from 0; mask (R, T, T), 0 where a symbol sees another and
        HIDDEN elsewhere.
        """
        turn = self.angles(tf.reshape(positions, (-1,)))
        x = tf.cast(tf.gather(self.frozen["embedding"], tf.reshape(symbols, (-1,))), tf.float32)  # (R*T, W)
        for number in range(self.config.layers):
            x = self._block(x, turn, mask, self.layer(number))
        return self.normed(x)

    def attended(self, weights: Weights, x: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return a layer's turned queries (N, heads, D) and keys (N, kv_heads, D), and values (N, kv_heads, D)."""
        config = self.config
        normed = rms_norm(x, weights["attend_norm"], config.norm_epsilon)
        sizes = [config.heads, config.kv_heads, config.kv_heads]
        joined = tf.reshape(self._mapped(weights, "attend", normed), (-1, sum(sizes), config.head_size))
        query, key, value = tf.split(joined, sizes, axis=1)
        return rotated(query, *turn), rotated(key, *turn), value

    def finished(self, weights: Weights, x: Tensor, mixed: Tensor) -> Tensor:
        """Return the residual stream (N, W) after a layer, given its attention's result (N, heads * D)."""
        x = x + self._mapped(weights, "attend_out", mixed)
        normed = rms_norm(x, weights["expand_norm"], self.config.norm_epsilon)
        return x + self._mapped(weights, "contract", swiglu(self._mapped(weights, "expand", normed)))

    def normed(self, x: Tensor) -> Tensor:
        """Return the final norm of the residual stream."""
        return rms_norm(x, self.frozen["norm"], self.config.norm_epsilon)

    def _named(self, name: str) -> Tensor:
        return self.frozen[name] if name in self.frozen else tf.convert_to_tensor(self.adapter[name])

    def _mapped(self, weights: Weights, name: str, x: Tensor) -> Tensor:
        """Return a layer's map of x (N, inputs): (N, outputs), with the adapter if there is one."""
        if not self.config.rank:
            return frozen_map(x, weights[name])
        a, b = weights[f"{name}.a"], weights[f"{name}.b"]
        return adapted_map(x, weights[name], a, b, self.config.scale)

    def _whole_layer(self, x: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor, weights: Weights) -> Tensor:
        """Return the residual stream (R * T, W) after a layer; mask (R, T, T)."""
        rows, length = mask.shape[:2]
        query, key, value = self.attended(weights, x, turn)
        query, key, value = (by_head(each, rows, length, self.config.kv_heads) for each in (query, key, value))
        mixed = attention(query, key[:, :, 0], value[:, :, 0], mask, self.products)
        return self.finished(weights, x, tf.reshape(tf.transpose(mixed, (0, 3, 1, 2, 4)), (rows * length, -1)))


def by_head(x: Tensor, rows: Any, length: Any, kv_heads: int) -> Tensor:
    """Return x (R * T, heads, D) as (R, kv_heads, heads / kv_heads, T, D)."""
    heads, size = x.shape[1:]
    return tf.transpose(tf.reshape(x, (rows, length, kv_heads, heads // kv_heads, size)), (0, 2, 3, 1, 4))
