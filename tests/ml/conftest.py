from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import NetworkConfig
from models_app.ml.networks.registry import kind_of
from models_app.ml.vocabulary import register
from models_app.ml.vocabulary.learning import learned
from models_app.ml.vocabulary.utf8_bytes import END
from tests.fakes.posts import make_posts

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

TINY = NetworkConfig(embedding=6, units=12)
#: Like the tutorial's, from before Keras had other gates.
TINY_HARD = NetworkConfig(embedding=6, units=12, gates="hard_sigmoid")
TINY_GLR = NetworkConfig(kind="glr", embedding=6, units=12, layers=2, contexts=(2, 0), context_rows=32, context_width=4)
#: As `train_base --vocabulary` learns one.
TOKENS = register(learned([*make_posts(300), "hé 👩🏽\u200d🚀 über alles, über alles"] * 2, 600))
TINY_TOKENS = NetworkConfig(
    kind="glr",
    vocabulary=TOKENS.name,
    embedding=5,
    units=12,
    layers=2,
    contexts=(1, 2, 3),
    context_rows=64,
    context_width=4,
    tied=True,
)
TINY_LSTM_OF_TOKENS = NetworkConfig(vocabulary=TOKENS.name, embedding=6, units=12)


def random_checkpoint(network: NetworkConfig = TINY, seed: int = 0, scale: float = 0.5) -> Checkpoint:
    """A network with random weights, which knows nothing and so writes anything."""
    rng = np.random.default_rng(seed)
    shapes = kind_of(network).weight_shapes(network)
    weights: dict[str, Any] = {name: rng.normal(0, scale, shape).astype(np.float32) for name, shape in shapes.items()}
    return Checkpoint(network, weights, {}, "")


@pytest.fixture(scope="session")
def broker() -> None:
    """Replace the broker of the other tests, because nothing here needs it."""


@pytest.fixture(scope="session")
def writer() -> None:
    """Replace the writer, because nothing here needs it."""


@pytest.fixture
def network() -> NetworkConfig:
    return TINY


@pytest.fixture
def checkpoint() -> Checkpoint:
    return random_checkpoint()


def favouring(**logits: float) -> Checkpoint:
    """A network that always gives these logits to these characters (END: the end mark) and -30 to all others."""
    checkpoint = random_checkpoint(scale=0)
    bias = np.full(256, -30, np.float32)
    for name, value in logits.items():
        bias[END if name == "END" else ord(name)] = value
    return Checkpoint(TINY, dict(checkpoint.weights) | {"output_bias": bias}, {}, "")
