"""A Llama with an adapter in TensorFlow: the forward pass over packed rows, for training and evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

from .config import LlamaConfig
from .layer import Weights, attended, fed_forward
from .ops import rms_norm
from .weights import adapter_shapes, layer_names

Tensor = Any
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
        found = tf.gather(self.frozen["embedding"], tf.reshape(symbols, (-1,)))
        x = tf.cast(found, tf.float32) * self.config.embedding_multiplier  # (R*T, W)
        for number in range(self.config.layers):
            x = self._block(x, turn, mask, self.layer(number))
        return self.normed(x)

    def normed(self, x: Tensor) -> Tensor:
        """Return the final norm of the residual stream, divided by what the logits are to be divided by."""
        return rms_norm(x, self.frozen["norm"] / self.config.logits_scaling, self.config.norm_epsilon)

    def _named(self, name: str) -> Tensor:
        return self.frozen[name] if name in self.frozen else tf.convert_to_tensor(self.adapter[name])

    def _whole_layer(self, x: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor, weights: Weights) -> Tensor:
        """Return the residual stream (R * T, W) after a layer; mask (R, T, T)."""
        return fed_forward(self.config, weights, attended(self.config, weights, x, turn, mask))
