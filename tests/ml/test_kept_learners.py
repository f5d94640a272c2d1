"""A learner that other tests reuse equals a new one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models_app.ml.training.dataset import Batch
from models_app.ml.training.learner import Learner
from tests import kept_learners

from .conftest import TINY, TINY_GLR, random_checkpoint

RECIPE: dict[str, Any] = {"beta_2": 0.99, "clip_norm": 1.0, "products": "float32"}
RNG = np.random.default_rng(5)
BATCH = Batch(
    RNG.integers(0, 256, (2, 4), np.uint8), RNG.integers(0, 256, (2, 4), np.uint8), np.ones((2, 4), np.float32)
)


def learned(learner: Any) -> list[float]:
    """Return the losses of steps from the learner's current state, with their own dropout."""
    learner._state = learner._state or learner._model.zero_state(2)
    return [learner.train(BATCH, learning_rate=0.01, seed=(1, step))[0] for step in range(3)]


@pytest.mark.parametrize("network", [TINY, TINY_GLR], ids=["lstm", "glr"])
@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_kept_learner_learns_as_a_new_one(network: Any, optimizer: str) -> None:
    weights = random_checkpoint(network, seed=1).weights
    other = random_checkpoint(network, seed=2).weights
    expected = learned(Learner(network, weights, dropout=0.25, optimizer=optimizer, **RECIPE))
    first = kept_learners.learner(network, other, dropout=0.5, optimizer=optimizer, **RECIPE)
    learned(first)
    second = kept_learners.learner(network, weights, dropout=0.25, optimizer=optimizer, **RECIPE)
    assert second is first
    assert learned(second) == expected


def test_another_recipe_gets_another_learner() -> None:
    weights = random_checkpoint(TINY).weights
    first = kept_learners.learner(TINY, weights, **RECIPE)
    assert kept_learners.learner(TINY, weights, dropout=0.5, **RECIPE) is not first
    assert kept_learners.learner(TINY, weights, **(RECIPE | {"clip_norm": 2.0})) is not first
