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
from .states import State


class Stepper(Protocol):
    """A network in NumPy that steps a batch of texts. It takes only states that it made itself.

    reads_at_once: how many symbols of a prompt to give `read` at most.
    """

    @property
    def reads_at_once(self) -> int: ...

    def start(self, rows: int) -> State:
        """Return the state of this many texts before their start mark."""
        ...

    def step(self, symbols: NDArray[Any], state: Any) -> tuple[NDArray[np.float32], State]:
        """Return the logits (B, size) of the symbol after `symbols` (B,), and the new state."""
        ...

    def steps(self, steps: Sequence[tuple[NDArray[Any], Any]]) -> Sequence[tuple[NDArray[np.float32], State]]:
        """Return what `step` returns for each batch's symbols and state, in one pass over the weights."""
        ...

    def read(self, symbols: NDArray[Any], state: Any) -> tuple[NDArray[np.float32], State]:
        """Return the logits (B, size) of the symbol after the last of `symbols` (B, T), and the new state."""
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
