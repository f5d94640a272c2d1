"""The base class of the Keras networks: weights by their names in the checkpoint. Imports TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models_app.ml.config import NetworkConfig

from .fused_ops import cross_entropy
from .mixed_matmul import Tensor
from .registry import kind_of


class NamedModel(keras.Model):  # type: ignore[misc]
    """A model with the weights of its kind of network, which are zero until set."""

    def __init__(self, config: NetworkConfig, products: str = "float32") -> None:
        super().__init__()
        self.config = config
        self.products = products
        for name, shape in kind_of(config).weight_shapes(config).items():
            setattr(self, f"{name}_weight", self.add_weight(name=name, shape=shape, initializer="zeros"))
        self.built = True

    def summed_loss(
        self,
        inputs: Tensor,
        targets: Tensor,
        weights: Tensor,
        state: tuple[Tensor, ...],
        dropout_mask: Tensor = None,
        products: str | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the summed weighted cross-entropy in nats and the new state.

        `targets` and `weights` are (B, T) like `inputs`; the rest is as in `call`.
        """
        read, after = self.read(inputs, state, dropout_mask, products)
        return self.loss_of(read, in_order(targets, tf.int32), in_order(weights, tf.float32), products), after

    def read(
        self, inputs: Tensor, state: tuple[Tensor, ...], dropout_mask: Tensor, products: str | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return what `loss_of` needs, (T * B, any): here the logits. The rest is as in `call`."""
        logits, after = self(inputs, state, dropout_mask, products=products)
        return tf.reshape(logits, (-1, logits.shape[2])), after

    def loss_of(self, read: Tensor, labels: Tensor, weights: Tensor, products: str | None) -> Tensor:
        """Return the summed cross-entropy of what `read` returned. `labels` and `weights` are (T * B,)."""
        return tf.reduce_sum(cross_entropy(read, labels) * weights)

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights as tensors by name."""
        return {variable.name: tf.convert_to_tensor(variable) for variable in self.trainable_variables}

    def named_weights(self) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
        """Return copies of the weights by the checkpoint's names."""
        return {variable.name: np.array(variable.numpy()) for variable in self.trainable_variables}

    def set_named_weights(self, weights: Mapping[str, Any]) -> None:
        """Set the weights, given by the checkpoint's names."""
        for variable in self.trainable_variables:
            variable.assign(weights[variable.name])


def in_order(array: Tensor, dtype: Any) -> Tensor:
    """Return the array (B, T) as (T * B,), in the order of the networks' logits."""
    return tf.reshape(tf.transpose(tf.cast(array, dtype)), (-1,))
