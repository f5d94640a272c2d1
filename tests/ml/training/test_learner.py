"""A training step on two halves in parallel gives the same as on all rows at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models_app.ml.config import NetworkConfig
from models_app.ml.networks.registry import kind_of
from models_app.ml.training.dataset import Batch
from models_app.ml.training.learner import Learner
from tests.ml.conftest import TINY, TINY_GLR, random_checkpoint

BOTH = pytest.mark.parametrize("network", [TINY, TINY_GLR], ids=["lstm", "glr"])
ROWS, STEPS = 9, 6


def batch(seed: int, rows: int = ROWS) -> Batch:
    symbols = np.random.default_rng(seed).integers(0, 256, (rows, STEPS + 1)).astype(np.uint8)
    return Batch(symbols[:, :-1], symbols[:, 1:], np.ones((rows, STEPS), np.float32))


def learner(network: NetworkConfig, rows: int = ROWS, dropout: float = 0.0, products: str = "float32") -> Learner:
    weights = random_checkpoint(network, scale=0.3).weights
    made = Learner(network, weights, beta_2=0.99, clip_norm=1.0, dropout=dropout, products=products)
    made.reset(rows)
    return made


def states(of: Learner) -> list[np.ndarray[Any, Any]]:
    return [array for name, array in sorted(of.snapshot().items()) if name.startswith("state.")]


@BOTH
def test_each_row_goes_on_from_its_own_state(network: NetworkConfig) -> None:
    ours = learner(network)
    ours.train(batch(1), learning_rate=0.0)
    model = kind_of(network).build(network, "float32")
    model.set_named_weights(random_checkpoint(network, scale=0.3).weights)
    _, expected = model(tf.constant(batch(1).inputs), model.zero_state(ROWS))
    for found, wanted in zip(states(ours), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert len({row.tobytes() for row in states(ours)[0].round(3)}) == ROWS


@BOTH
def test_rows_validated_side_by_side_are_those_validated_alone(network: NetworkConfig) -> None:
    ours = learner(network)
    total, count = ours.validate(iter([batch(1), batch(2)]))
    alone = [
        ours.validate(
            Batch(each.inputs[row : row + 1], each.targets[row : row + 1], each.weights[row : row + 1])
            for each in (batch(1), batch(2))
        )[0]
        for row in range(ROWS)
    ]
    assert count == 2 * ROWS * STEPS
    assert total == pytest.approx(sum(alone), rel=1e-5)


@BOTH
def test_validation_is_in_float32_unless_it_need_not_be_exact(network: NetworkConfig) -> None:
    plain, small = (learner(network, products=products) for products in ("float32", "bfloat16"))
    expected, _ = plain.validate(iter([batch(1)]))
    assert small.validate(iter([batch(1)]))[0] == pytest.approx(expected, rel=1e-6)
    assert plain.validate(iter([batch(1)]), exact=False)[0] == pytest.approx(expected, rel=1e-6)
    near, _ = small.validate(iter([batch(1)]), exact=False)
    assert near == pytest.approx(expected, rel=0.01) and near != pytest.approx(expected, rel=1e-6)


@BOTH
def test_dropout_hides_what_its_seed_says_and_nothing_without_it(network: NetworkConfig) -> None:
    def loss(dropout: float, *seed: int) -> float:
        return learner(network, dropout=dropout).train(batch(3), learning_rate=0.01, seed=(seed[0], seed[1]))[0]

    drawn = [loss(0.0, 1, 2), loss(0.5, 1, 2), loss(0.5, 1, 3), loss(0.5, 2, 2)]
    assert np.diff(sorted(drawn)).min() > 1e-3
    assert loss(0.0, 1, 2) == pytest.approx(loss(0.0, 2, 2), rel=1e-6)


def test_dropout_hides_other_outputs_of_each_row() -> None:
    rows, one = 8, batch(4, rows=1)  # two halves of one shape, for which the same seed would draw the same
    inputs, targets = np.repeat(one.inputs, rows, axis=0), np.repeat(one.targets, rows, axis=0)
    ours = learner(TINY_GLR, rows, dropout=0.5)
    ours.train(Batch(inputs, targets, np.ones((rows, STEPS), np.float32)), learning_rate=0.0, seed=(1, 2))
    first, second = states(ours)[:2]
    np.testing.assert_allclose(first, np.repeat(first[:1], rows, axis=0), atol=1e-6)  # it reads what nothing hides
    assert len({row.tobytes() for row in second.round(4)}) == rows


def test_a_network_of_many_layers_goes_on_from_its_snapshot() -> None:
    network = replace(TINY_GLR, layers=11, units=4)
    ours, other = learner(network), learner(network)
    ours.train(batch(5), learning_rate=0.01)
    other.restore(ours.snapshot())
    loss, _ = ours.train(batch(6), learning_rate=0.01)
    assert other.train(batch(6), learning_rate=0.01)[0] == pytest.approx(loss, rel=1e-6)
