from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from models_app.ml.config import NetworkConfig
from models_app.ml.training.dataset import Batch
from models_app.ml.training.learner import Learner
from models_app.ml.training.optimizers import FastMuon, optimizer
from tests.ml.conftest import TINY, TINY_GLR, random_checkpoint


def batch(seed: int) -> Batch:
    symbols = np.random.default_rng(seed).integers(0, 256, (8, 7)).astype(np.uint8)
    return Batch(symbols[:, :-1], symbols[:, 1:], np.ones((8, 6), np.float32))


def learner(network: NetworkConfig, name: str) -> Learner:
    start = random_checkpoint(network, scale=0.2)
    return Learner(network, start.weights, beta_2=0.99, clip_norm=1.0, optimizer=name, products="float32")


@pytest.mark.parametrize("shape", [(24, 24), (16, 64), (64, 16)])
@pytest.mark.parametrize("products", ["float32", "bfloat16"])
def test_muon_makes_all_singular_values_of_a_step_about_one(shape: tuple[int, int], products: str) -> None:
    muon = FastMuon(0.001, products=products)
    matrix = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    made = muon.zeropower_via_newtonschulz5(tf.constant(matrix), 5)
    assert made.dtype == tf.float32 and made.shape == shape
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    values = np.linalg.svd(made, compute_uv=False)
    # The five steps of its polynomial end between 0.68 and 1.14 (Jordan et al. 2024), bfloat16 adds its rounding.
    assert values.min() > 0.6 and values.max() < 1.25
    nearest = left @ right
    cosine = (np.asarray(made) * nearest).sum() / np.linalg.norm(made) / np.linalg.norm(nearest)
    assert cosine > 0.97


@pytest.mark.parametrize("network", [TINY, TINY_GLR], ids=["lstm", "glr"])
def test_muon_steps_the_matrices_and_adam_all_else(network: NetworkConfig) -> None:
    ours = learner(network, "muon")
    ours.reset(8)
    before = ours.weights()
    ours.train(batch(1), learning_rate=0.01)
    hidden = {"lstm": ["kernel", "recurrent"], "glr": ["input_kernel", "layer_0_kernel", "layer_1_projection"]}
    steps = {name: array - before[name] for name, array in ours.weights().items()}
    matrices = {name: steps[name] for name in hidden[network.kind]}
    others = {name: step for name, step in steps.items() if name.endswith(("bias", "output_kernel"))}
    assert len(matrices) >= 2 and len(others) >= 3
    for name, step in matrices.items():
        values = np.linalg.svd(step, compute_uv=False)
        # Keras scales it by 0.2 times the root of the longer side, so that its elements are as large as Adam's.
        assert np.median(values) == pytest.approx(0.01 * 0.2 * max(step.shape) ** 0.5, rel=0.3), name
    for name, step in others.items():
        # The first step of Adam is the learning rate in the direction of the sign.
        assert np.median(np.abs(step)) == pytest.approx(0.01, rel=0.02), name
        assert np.abs(step).max() < 0.0101, name


def test_adam_steps_as_keras_own() -> None:
    ours = optimizer("adam", beta_2=0.9, clip_norm=0.5, products="float32")
    theirs = keras.optimizers.Adam(0.001, beta_2=0.9, global_clipnorm=0.5)
    weights: list[Any] = [keras.Variable(np.ones((3, 4), np.float32)) for _ in range(2)]
    for number in range(3):
        gradient = tf.constant(np.random.default_rng(number).normal(size=(3, 4)), tf.float32)
        for each, weight in zip((ours, theirs), weights, strict=True):
            each.apply([gradient], [weight])
        np.testing.assert_allclose(weights[0].numpy(), weights[1].numpy(), rtol=1e-6)
        for mine, keras_own in zip(ours.variables, theirs.variables, strict=True):
            np.testing.assert_allclose(mine.numpy(), keras_own.numpy(), rtol=1e-5, err_msg=mine.path)
    assert np.abs(weights[0].numpy() - 1).max() > 0.001


def test_an_unknown_optimizer_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="adam or muon"):
        optimizer("sgd", beta_2=0.99, clip_norm=1.0, products="float32")


@pytest.mark.parametrize("name", ["adam", "muon"])
@pytest.mark.parametrize("network", [TINY, TINY_GLR], ids=["lstm", "glr"])
def test_training_goes_on_from_a_snapshot_as_if_nothing_had_been(network: NetworkConfig, name: str) -> None:
    whole = learner(network, name)
    whole.reset(8)
    for number in range(2):
        whole.train(batch(number), learning_rate=0.01)
    saved = whole.snapshot()
    again = learner(network, name)
    again.restore(saved)
    for each in (whole, again):
        for number in range(2, 5):
            each.train(batch(number), learning_rate=0.02)
    for key, array in whole.snapshot().items():
        # Two cores add in a different order each time. A missing part would make a hundred times the difference.
        np.testing.assert_allclose(again.snapshot()[key], array, atol=1e-4, err_msg=key)
    assert any(np.abs(saved[f"weights.{key}"] - array).max() > 0.001 for key, array in whole.weights().items())
