"""The kinds of network that a checkpoint can hold. To add a kind, add an entry here.

The Keras model is given by module and attribute and imported only when needed, so this module and its users
(checkpoint, sampler, evaluation) never import TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models_app.ml.config import NetworkConfig
from models_app.ml.errors import LearningError, mark

from . import gated_linear_rnn, lstm
from .llama.config import LlamaConfig
from .llama.weights import adapter_shapes, first_adapter
from .states import State


class Stepper(Protocol):
    """A network in NumPy that steps a batch of texts. It takes only states that it made itself.

    reads_at_once: how many symbols of a prompt to give `read` at most; rows_at_once: how many texts to step side by
    side at most, because more would take too much memory.
    """

    @property
    def reads_at_once(self) -> int: ...

    @property
    def rows_at_once(self) -> int: ...

    def rows_of(self, characters: int) -> int:
        """Return how many texts of up to so many characters to step side by side at most."""
        ...

    @property
    def nbytes(self) -> int:
        """The bytes of the weights that belong to this one alone."""
        ...

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


#: The configuration of any network.
Network = NetworkConfig | LlamaConfig


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of network.

    weight_shapes: of the weights that a checkpoint holds (float32); stepper: writes and evaluates; keras_model: the
    location of the Keras model that learns, "module:attribute", called with (config, products), "" if it has another
    learner; config: the class of its configuration; has_own_vocabulary: whether its checkpoints hold the vocabulary.
    """

    weight_shapes: Callable[[Any], dict[str, tuple[int, ...]]]
    first_weights: Callable[[Any, int], dict[str, NDArray[Any]]]
    stepper: Callable[[Any, Mapping[str, NDArray[Any]]], Stepper]
    keras_model: str
    config: type[Network] = NetworkConfig
    has_own_vocabulary: bool = True

    def build(self, config: Network, products: str) -> Any:
        """Return the Keras model. Imports TensorFlow."""
        module, _, attribute = self.keras_model.partition(":")
        return getattr(import_module(module), attribute)(config, products)


def _llama_stepper(config: LlamaConfig, weights: Mapping[str, NDArray[Any]]) -> Stepper:
    # Imported late: processes that only use small networks need none of it.
    from .llama.steppers import stepper

    return stepper(config, weights)


KINDS: Mapping[str, Kind] = {
    "lstm": Kind(lstm.weight_shapes, lstm.first_weights, lstm.Stepper, f"{__package__}.lstm_network:LstmNetwork"),
    "glr": Kind(
        gated_linear_rnn.weight_shapes,
        gated_linear_rnn.first_weights,
        gated_linear_rnn.Stepper,
        f"{__package__}.gated_linear_rnn_network:GlrNetwork",
    ),
    "llama": Kind(adapter_shapes, first_adapter, _llama_stepper, "", config=LlamaConfig, has_own_vocabulary=False),
}


def config_of(values: Mapping[str, Any]) -> Network:
    """Return the configuration in plain values. Raises ValueError that names unknown, missing or invalid ones."""
    if not isinstance(values, Mapping):
        return NetworkConfig.from_dict(values)
    kind = KINDS.get(str(values.get("kind", "lstm")))
    return (NetworkConfig if kind is None else kind.config).from_dict(dict(values))


def products_per_symbol(config: NetworkConfig) -> int:
    """Return how many weights a symbol is multiplied by. Embeddings are looked up, so only a tied one counts."""
    shapes = kind_of(config).weight_shapes(config)
    kernels = [shape for name, shape in shapes.items() if len(shape) > 1 and not name.endswith("embedding")]
    return sum(map(math.prod, kernels)) + (math.prod(shapes["embedding"]) if config.tied else 0)


def kind_of(config: Network) -> Kind:
    """Return the kind of the network with this configuration."""
    return KINDS[config.kind]


def small_network(config: Network) -> NetworkConfig:
    """Return the configuration of a network that learns as a whole. Raises LearningError for one with an adapter."""
    if isinstance(config, NetworkConfig):
        return config
    raise LearningError(mark("Only an adapter of this model can be trained. Choose one of the small networks."))
