from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models_app.ml.config import NETWORKS, NetworkConfig
from models_app.ml.errors import BadSetting
from models_app.ml.networks.gated_linear_rnn import Stepper, weight_shapes
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.weights import adapter_shapes
from models_app.ml.networks.registry import Network, kind_of
from models_app.ml.networks.reshaping import reshaped
from models_app.ml.training.dataset import Batch
from models_app.ml.training.learner import Learner
from models_app.ml.vocabulary.utf8_bytes import END
from tests.ml.conftest import random_checkpoint
from tests.ml.networks.llama.conftest import TINY as ADAPTED
from tests.ml.networks.llama.conftest import made_adapter

NETWORK = NetworkConfig(kind="glr", embedding=5, units=8, layers=2, contexts=(2, 0), context_rows=64, context_width=6)
STEPS = np.array([[END, 72, 105, 32], [END, 79, 104, 33]])


def logits(network: NetworkConfig, weights: Any) -> Any:
    """The logits (4, 2, size) after each of these symbols."""
    stepper = Stepper(network, weights)
    state, written = stepper.start(2), []
    for symbols in STEPS.T:
        step, state = stepper.step(symbols, state)
        written.append(step)
    return np.stack(written)


def test_a_new_layer_changes_nothing_and_learns() -> None:
    weights = random_checkpoint(NETWORK).weights
    shape, deeper = reshaped(NETWORK, weights, layers=4)
    assert isinstance(shape, NetworkConfig) and shape == replace(NETWORK, layers=4)
    assert {name: array.shape for name, array in deeper.items()} == weight_shapes(shape)
    np.testing.assert_allclose(logits(shape, deeper), logits(NETWORK, weights), atol=1e-5)
    learner = Learner(shape, deeper, beta_2=0.99, clip_norm=1, optimizer="muon")
    learner.reset(2)
    learner.train(Batch(STEPS[:, :3], STEPS[:, 1:], np.ones((2, 3), np.float32)), learning_rate=0.01)
    assert np.abs(learner.weights()["layer_3_projection"]).min() > 0


def test_a_narrower_table_is_exact_if_it_can_be() -> None:
    weights = dict(random_checkpoint(NETWORK).weights)
    rng = np.random.default_rng(3)
    # Six columns that three could hold.
    for place in range(2):
        three = rng.normal(0, 0.5, (NETWORK.context_rows, 3)) @ rng.normal(0, 0.5, (3, 6))
        weights[f"context_{place}_embedding"] = three.astype(np.float32)
    shape, narrower = reshaped(NETWORK, weights, context_width=3)
    assert isinstance(shape, NetworkConfig) and shape == replace(NETWORK, context_width=3)
    assert {name: array.shape for name, array in narrower.items()} == weight_shapes(shape)
    np.testing.assert_allclose(logits(shape, narrower), logits(NETWORK, weights), atol=1e-4)
    for place in range(2):
        name = f"context_{place}_embedding"
        assert narrower[name].std() == pytest.approx(weights[name].std(), rel=1e-4)


def test_a_narrower_table_drops_what_matters_least() -> None:
    weights = random_checkpoint(NETWORK).weights
    _, narrower = reshaped(NETWORK, weights, context_width=4)
    kernel, width = weights["input_kernel"], NETWORK.context_width
    for place in range(2):
        name = f"context_{place}_embedding"
        before = weights[name] @ kernel[5 + place * width : 5 + (place + 1) * width]
        after = narrower[name] @ narrower["input_kernel"][5 + place * 4 : 5 + (place + 1) * 4]
        dropped = np.linalg.svd(before, compute_uv=False)[4:]
        assert np.linalg.norm(before - after) == pytest.approx(np.linalg.norm(dropped), rel=1e-4)
    np.testing.assert_array_equal(narrower["embedding"], weights["embedding"])


def test_an_adapter_of_a_higher_rank_changes_nothing_and_has_room_to_learn() -> None:
    weights = made_adapter(ADAPTED)
    shape, grown = reshaped(ADAPTED, weights, rank=5)
    assert isinstance(shape, LlamaConfig) and shape == replace(ADAPTED, rank=5)
    assert {name: array.shape for name, array in grown.items()} == adapter_shapes(shape)
    for name in (name.removesuffix(".a") for name in weights if name.endswith(".a")):
        change = weights[f"{name}.a"] @ weights[f"{name}.b"]
        np.testing.assert_allclose(grown[f"{name}.a"] @ grown[f"{name}.b"], change, atol=1e-5)
        # A new row of B gets a gradient because its column of A isn't zero.
        assert np.abs(grown[f"{name}.a"][:, 3:]).min() > 0 and not grown[f"{name}.b"][3:].any()


def test_an_adapter_of_a_lower_rank_keeps_what_matters_most() -> None:
    weights = made_adapter(ADAPTED, 1)
    shape, lower = reshaped(ADAPTED, weights, rank=2)
    assert shape == replace(ADAPTED, rank=2)
    assert {name: array.shape for name, array in lower.items()} == adapter_shapes(shape)
    name, other = "0.attend.a", "0.attend.b"
    before, after = weights[name] @ weights[other], lower[name] @ lower[other]
    values = np.linalg.svd(before, compute_uv=False)
    assert np.linalg.norm(after - before) == pytest.approx(values[2], rel=1e-4) and values[2] > 0
    assert np.linalg.norm(lower[name], axis=0).mean() == pytest.approx(np.linalg.norm(weights[name]) / 3**0.5, rel=1e-5)
    # What a higher rank added without any effect goes without any.
    again = reshaped(*reshaped(ADAPTED, weights, rank=6), rank=3)[1]
    pairs = [(one, f"{one.removesuffix('a')}b") for one in weights if one.endswith(".a")]
    assert pairs and all(np.allclose(again[a] @ again[b], weights[a] @ weights[b], atol=1e-5) for a, b in pairs)


@pytest.mark.parametrize(
    ("network", "shape", "sentence"),
    [
        (ADAPTED, {"rank": 0}, "at least 1"),
        (ADAPTED, {"rank": 257}, "rank"),
        (ADAPTED, {"layers": 3}, "kind glr"),
        (NETWORK, {"rank": 4}, "pretrained"),
        (NETWORK, {"layers": 1}, "It has 2"),
        (NETWORK, {"context_width": 7}, "width is 6"),
        (NETWORK, {"layers": 33}, "32"),
        (NETWORK, {"context_width": 0}, "context_width"),
        (NETWORKS["lstm"], {"layers": 2}, "kind glr"),
    ],
)
def test_other_shapes_are_refused(network: Network, shape: dict[str, int], sentence: str) -> None:
    with pytest.raises(BadSetting, match=sentence):
        reshaped(network, kind_of(network).first_weights(network, 0), **shape)


def test_without_a_shape_it_stays_as_it_is() -> None:
    weights = random_checkpoint(NETWORK).weights
    shape, same = reshaped(NETWORK, weights)
    assert shape == NETWORK
    for name, array in weights.items():
        np.testing.assert_array_equal(same[name], array)
