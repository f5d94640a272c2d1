"""The kinds of network that a checkpoint may hold; another kind is one more entry here.

The Keras side is named by module and attribute and imported only when it is asked for, so that this module and all who
use it (checkpoint, sampler, evaluation) stay free of TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models_app.ml.config import NetworkConfig

from . import gated_linear_rnn, lstm

State = tuple[NDArray[Any], ...]


class Stepper(Protocol):
    """One network in NumPy, for texts side by side. Every array of a state has the texts as its first axis."""

    def start(self, rows: int) -> State:
        """Return the zero state of this many texts."""
        ...

    def step(self, symbols: NDArray[Any], state: State) -> tuple[NDArray[np.float32], State]:
        """Return the logits (B, 256) of what follows `symbols` (B,), and the new state; the old one is unchanged."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """All that is known of a kind of network: its weights (float32), its NumPy step and where its Keras model is."""

    weight_shapes: Callable[[NetworkConfig], dict[str, tuple[int, ...]]]
    first_weights: Callable[[NetworkConfig, int], dict[str, NDArray[Any]]]
    stepper: Callable[[NetworkConfig, Mapping[str, NDArray[Any]]], Stepper]
    keras_model: str  # "module:attribute", called with (config, products)

    def build(self, config: NetworkConfig, products: str) -> Any:
        """Return the Keras model; imports TensorFlow."""
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
    """Return the entry for the network of this configuration."""
    return KINDS[config.kind]
