"""A network, its optimizer and one training step, shared by fine-tuning and base training. Imports TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models_app.ml.config import NetworkConfig
from models_app.ml.errors import TrainingDiverged, mark
from models_app.ml.networks.fused_ops import sample_dropout_mask
from models_app.ml.networks.mixed_matmul import product_type
from models_app.ml.networks.registry import kind_of

from .dataset import Batch
from .optimizers import optimizer as optimizer_named
from .tf_threads import microbatches, share_out

Arrays = dict[str, NDArray[Any]]
#: With fewer rows, halves would multiply too few at once.
MIN_ROWS: Final = 8


class Learner:
    """A network and an optimizer that clips the global gradient norm.

    Keeps the recurrent state of the training rows between steps; `reset` sets it to zero. You can change the value of
    `dropout` between steps, but not turn it on or off.
    """

    def __init__(
        self,
        network: NetworkConfig,
        weights: Mapping[str, NDArray[Any]],
        *,
        beta_2: float,
        clip_norm: float,
        dropout: float = 0.0,
        optimizer: str = "adam",
        products: str | None = None,
    ) -> None:
        share_out()
        kind = product_type(products)
        self._model = kind_of(network).build(network, kind)
        self._model.set_named_weights(weights)
        self._optimizer = optimizer_named(optimizer, beta_2=beta_2, clip_norm=clip_norm, products=kind)
        self._optimizer.build(self._model.trainable_variables)
        self.dropout = dropout
        self._state: tuple[Any, ...] = ()
        # One graph per batch shape; reduce_retracing would lose the static shapes that unrolling needs.
        # No branch or loop depends on a tensor, so AutoGraph would only cost time.
        self._step = tf.function(self._train_step, autograph=False)
        self._check = tf.function(self._validation_step, autograph=False)

    def reset(self, rows: int) -> None:
        """Set the recurrent state of the training rows to zero."""
        self._state = self._model.zero_state(rows)

    def train(self, batch: Batch, *, learning_rate: float, seed: tuple[int, int] = (0, 0)) -> tuple[float, float]:
        """Train one step; return the summed loss in nats and its number of symbols.

        Dropout depends only on `seed`. Raises TrainingDiverged if the loss isn't finite.
        """
        loss, self._state = self._step(
            tf.constant(batch.inputs),
            tf.constant(batch.targets),
            tf.constant(batch.weights),
            self._state,
            tf.constant(learning_rate, tf.float32),
            tf.constant(seed, tf.int32),
            tf.constant(self.dropout, tf.float32),
        )
        return _finite(float(loss)), float(batch.weights.sum())

    def validate(
        self, batches: Iterator[Batch], between: Callable[[], None] = lambda: None, *, exact: bool = True
    ) -> tuple[float, float]:
        """Return the summed loss in nats and the number of symbols, without dropout.

        Products are in float32 if `exact`, else in the dtype of training, which is faster and precise enough to compare
        epochs. Calls `between` before each batch; if it raises, validation ends. Raises TrainingDiverged if the loss
        isn't finite.
        """
        total = count = 0.0
        state: tuple[Any, ...] = ()
        for batch in batches:
            between()
            state = state or self._model.zero_state(batch.inputs.shape[0])
            loss, state = self._check(
                tf.constant(batch.inputs), tf.constant(batch.targets), tf.constant(batch.weights), state, exact
            )
            total += float(loss)
            count += float(batch.weights.sum())
        return _finite(total), count

    def weights(self) -> Arrays:
        """Return copies of the network's weights by name."""
        return dict(self._model.named_weights())

    def set_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Set the network's weights; keep optimizer and recurrent state."""
        self._model.set_named_weights(weights)

    def start_over(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Set the network's weights and reset the optimizer; keep the recurrent state."""
        self.set_weights(weights)
        for slot in self._optimizer.variables:
            slot.assign(tf.zeros_like(slot))

    def snapshot(self) -> Arrays:
        """Return copies of everything needed to resume: weights, optimizer slots, recurrent state."""
        slots = {
            f"optimizer.{index:03d}": np.array(slot.numpy()) for index, slot in enumerate(self._optimizer.variables)
        }
        states = {f"state.{index}": np.array(part.numpy()) for index, part in enumerate(self._state)}
        return {f"weights.{name}": array for name, array in self.weights().items()} | slots | states

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Restore a snapshot to resume exactly there. Raises KeyError or ValueError if it doesn't fit."""
        names = [variable.name for variable in self._model.trainable_variables]
        self._model.set_named_weights({name: arrays[f"weights.{name}"] for name in names})
        for index, slot in enumerate(self._optimizer.variables):
            slot.assign(arrays[f"optimizer.{index:03d}"])
        count = sum(name.startswith("state.") for name in arrays)
        self._state = tuple(tf.constant(arrays[f"state.{index}"]) for index in range(count))

    def _train_step(
        self,
        inputs: Any,
        targets: Any,
        weights: Any,
        state: tuple[Any, ...],
        learning_rate: Any,
        seed: Any,
        dropout: Any,
    ) -> Any:
        losses, states = [], []
        with tf.GradientTape() as tape:
            for number, part in enumerate(microbatches(inputs.shape[0], least=MIN_ROWS)):
                dropout_mask = None
                if self.dropout:
                    shape = self._model.dropout_mask_shape(part.stop - part.start, inputs.shape[1])
                    dropout_mask = sample_dropout_mask(dropout, shape, seed + tf.constant([0, number << 24]))
                before = tuple(array[part] for array in state)
                summed, after = self._model.summed_loss(
                    inputs[part], targets[part], weights[part], before, dropout_mask
                )
                losses.append(summed)
                states.append(after)
            loss = tf.add_n(losses)
            mean = loss / (inputs.shape[0] * inputs.shape[1])
        variables = self._model.trainable_variables
        self._optimizer.learning_rate.assign(learning_rate)
        self._optimizer.apply(tape.gradient(mean, variables), variables)
        return loss, _joined(states)

    def _validation_step(self, inputs: Any, targets: Any, weights: Any, state: tuple[Any, ...], exact: bool) -> Any:
        losses, states = [], []
        products = "float32" if exact else self._model.products
        for part in microbatches(inputs.shape[0], least=MIN_ROWS):
            before = tuple(array[part] for array in state)
            summed, after = self._model.summed_loss(
                inputs[part], targets[part], weights[part], before, products=products
            )
            losses.append(summed)
            states.append(after)
        return tf.add_n(losses), _joined(states)


def _joined(states: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return the states of the microbatches as one state of all rows."""
    return tuple(tf.concat(parts, axis=0) for parts in zip(*states, strict=True))


def _finite(loss: float) -> float:
    if math.isfinite(loss):
        return loss
    raise TrainingDiverged(
        mark("The loss is no longer a finite number. Start again with a lower learning rate; try half of it.")
    )
