"""The kinds of network that a checkpoint can hold. To add a kind, add an entry here.

The Keras model is given by module and attribute and imported only when needed, so this module and its users
(checkpoint, sampler, evaluation) never import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models_app.ml.config import NetworkConfig

from . import gated_linear_rnn, lstm

State = tuple[NDArray[Any], ...]


class Stepper(Protocol):
    """A network in NumPy that steps a batch of texts. The first axis of every state array is the batch."""

    def start(self, rows: int) -> State:
        """Return the zero state for this many texts."""
        ...

    def step(self, symbols: NDArray[Any], state: State, sizes: Sequence[int] = ()) -> tuple[NDArray[np.float32], State]:
        """Return the logits (B, 256) of the symbol after `symbols` (B,), and the new state; leave the old one as is.

        With `sizes`, the texts are several batches of these sizes: each gets exactly what it would get alone.
        """
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of network: its weights (float32), its NumPy stepper and the location of its Keras model."""

    weight_shapes: Callable[[NetworkConfig], dict[str, tuple[int, ...]]]
    first_weights: Callable[[NetworkConfig, int], dict[str, NDArray[Any]]]
    stepper: Callable[[NetworkConfig, Mapping[str, NDArray[Any]]], Stepper]
    keras_model: str  # "module:attribute", called with (config, products)

    def build(self, config: NetworkConfig, products: str) -> Any:
        """Return the Keras model. Imports TensorFlow."""
        module, _, attribute = self.keras_model.partition(":")
        return getattr(import_module(module), attribute)(config, products)


KINDS: Mapping[str, Kind] = {
    "lstm": Kind(lstm.weight_shapes, lstm.first_weights, lstm.Stepper, f"{__package__}.lstm_network:LstmNetwork"),
    "glr": Kind(
        gated_linear_rnn.weight_shapes,
        gated_linear_rnn.first_weights,
        gated_linear_rnn.Stepper,
        f"{__package__}.gated_linear_rnn_network:GlrNetwork",
    ),
}


def kind_of(config: NetworkConfig) -> Kind:
    """Return the kind of the network with this configuration."""
    return KINDS[config.kind]
