"""A Llama, the optimizer of its adapter and one training step. Imports TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models_app.ml.errors import TrainingDiverged, mark
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.cross_entropy import summed_cross_entropy
from models_app.ml.networks.llama.network import HIDDEN, LlamaNetwork, adapter_variables
from models_app.ml.training.optimizers import optimizer
from models_app.ml.training.tf_threads import microbatches, share_out

from .config import CHUNK
from .packing import PackedBatch

Arrays = dict[str, NDArray[Any]]


class AdapterLearner:
    """A Llama whose adapter learns by Adam, with the gradient's global norm clipped."""

    def __init__(
        self, config: LlamaConfig, frozen: Mapping[str, Any], *, beta_2: float = 0.99, clip_norm: float = 1.0
    ) -> None:
        share_out()
        self.adapter = adapter_variables(config)
        self.network = LlamaNetwork(config, frozen, self.adapter)
        products = self.network.products.name
        self._optimizer = optimizer("adam", beta_2=beta_2, clip_norm=clip_norm, products=products)
        self._optimizer.build(list(self.adapter.values()))
        # No branch or loop depends on a tensor, so AutoGraph would only cost time. One graph per batch shape.
        self._step = tf.function(self._train_step, autograph=False)
        self._check = tf.function(self._losses, autograph=False)

    def train(self, batch: PackedBatch, *, learning_rate: float) -> tuple[float, float]:
        """Train one step; return the summed loss in nats and its number of symbols.

        Raises TrainingDiverged if the loss isn't finite.
        """
        loss = float(self._step(*_tensors(batch), tf.constant(learning_rate, tf.float32)))
        if not math.isfinite(loss):
            raise TrainingDiverged(
                mark("The loss is no longer a finite number. Start again with a lower learning rate; try half of it.")
            )
        return loss, float(batch.weights.sum())

    def validate(
        self, batches: Iterable[PackedBatch], between: Callable[[], None] = lambda: None
    ) -> tuple[float, float]:
        """Return the summed loss in nats and the number of symbols. Calls `between` before each batch."""
        total = count = 0.0
        for batch in batches:
            between()
            total += float(self._check(*_tensors(batch))[0])
            count += float(batch.weights.sum())
        return total, count

    def surprisals(self, batch: PackedBatch) -> NDArray[np.float32]:
        """Return -ln of each target's probability, (R, T)."""
        each: NDArray[np.float32] = self._check(*_tensors(batch))[1].numpy().reshape(batch.inputs.shape)
        return each

    def weights(self) -> Arrays:
        """Return copies of the adapter's weights by name."""
        return {name: variable.numpy().copy() for name, variable in self.adapter.items()}

    def set_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Set the adapter's weights; keep the optimizer."""
        for name, variable in self.adapter.items():
            variable.assign(weights[name])

    def start_over(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Set the adapter's weights and reset the optimizer."""
        self.set_weights(weights)
        for slot in self._optimizer.variables:
            slot.assign(tf.zeros_like(slot))

    def snapshot(self) -> Arrays:
        """Return copies of everything needed to resume: weights and optimizer slots."""
        slots = {f"optimizer.{index:03d}": slot.numpy().copy() for index, slot in enumerate(self._optimizer.variables)}
        return {f"weights.{name}": array for name, array in self.weights().items()} | slots

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Restore a snapshot. Raises KeyError or ValueError if it doesn't fit."""
        self.set_weights({name: arrays[f"weights.{name}"] for name in self.adapter})
        for index, slot in enumerate(self._optimizer.variables):
            slot.assign(arrays[f"optimizer.{index:03d}"])

    def _losses(self, inputs: Any, targets: Any, weights: Any, positions: Any, segments: Any) -> Any:
        """Return the summed loss and each place's loss (R * T,) in nats, one chain of operations per microbatch."""
        parts = [
            self._losses_of(*(each[part] for each in (inputs, targets, weights, positions, segments)))
            for part in microbatches(inputs.shape[0])
        ]
        return tf.add_n([total for total, _ in parts]), tf.concat([each for _, each in parts], 0)

    def _losses_of(self, inputs: Any, targets: Any, weights: Any, positions: Any, segments: Any) -> Any:
        length = inputs.shape[1]
        same = segments[:, :, None] == segments[:, None, :]
        past = np.tril(np.ones((length, length), np.bool_))
        mask = tf.where(same & past, 0.0, HIDDEN)  # (R, T, T)
        hidden = self.network.hidden(inputs, positions, mask)
        return summed_cross_entropy(
            hidden, self.network.head, tf.reshape(targets, (-1,)), tf.reshape(weights, (-1,)), CHUNK
        )

    def _train_step(
        self, inputs: Any, targets: Any, weights: Any, positions: Any, segments: Any, learning_rate: Any
    ) -> Any:
        with tf.GradientTape() as tape:
            loss, _ = self._losses(inputs, targets, weights, positions, segments)
            mean = loss / tf.reduce_sum(weights)
        variables = list(self.adapter.values())
        self._optimizer.learning_rate.assign(learning_rate)
        self._optimizer.apply(tape.gradient(mean, variables), variables)
        return loss


def _tensors(batch: PackedBatch) -> tuple[Any, ...]:
    arrays = (batch.inputs, batch.targets, batch.weights, batch.positions, batch.segments)
    return tuple(tf.constant(array) for array in arrays)
