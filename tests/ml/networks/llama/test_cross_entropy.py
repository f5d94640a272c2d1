from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models_app.ml.networks.llama.cross_entropy import summed_cross_entropy


@pytest.mark.parametrize("chunk", [4, 7, 100])
def test_losses_and_gradients_are_those_of_tensorflow(chunk: int) -> None:
    rng = np.random.default_rng(0)
    hidden = tf.constant(rng.normal(0, 1, (13, 8)), tf.float32)
    head = tf.constant(rng.normal(0, 1, (40, 8)), tf.float32)
    targets, weights = tf.constant(rng.integers(0, 40, 13), tf.int32), tf.constant(rng.uniform(0, 1, 13), tf.float32)
    with tf.GradientTape() as theirs:
        theirs.watch(hidden)
        expected = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, tf.matmul(hidden, head, transpose_b=True))
        whole = tf.reduce_sum(expected * weights)
    total, each, gradient = ours(hidden, head, targets, weights, chunk)
    np.testing.assert_allclose(each, expected, rtol=1e-5, atol=1e-6)
    assert total == pytest.approx(float(whole), rel=1e-5)
    np.testing.assert_allclose(gradient, tf.convert_to_tensor(theirs.gradient(whole, hidden)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("logit", [4.0, 7.0, 9.0])
def test_a_target_that_is_almost_certain_keeps_its_small_gradient_in_half_precision(logit: float) -> None:
    """bfloat16 has no number between 0.996 and 1, and the target's row of the head is far larger than the gradient."""
    rng = np.random.default_rng(0)
    head = tf.cast(tf.constant(rng.normal(0, 1, (300, 64)), tf.float32), tf.bfloat16)
    exact = tf.cast(head, tf.float64).numpy()
    hidden = np.linalg.lstsq(exact[:8], np.array([logit + 2] + [0.0] * 7), rcond=None)[0]
    hidden = tf.cast(tf.constant(hidden[None], tf.float32), tf.bfloat16)
    logits = tf.cast(hidden, tf.float64).numpy() @ exact.T
    errors = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    errors[0, 0] -= 1
    *_, gradient = ours(tf.cast(hidden, tf.float32), head, tf.constant([0]), tf.ones(1), 1)
    expected = errors @ exact
    assert np.linalg.norm(gradient - expected) < 0.02 * np.linalg.norm(expected), errors[0, 0]


def test_an_impossible_target_costs_as_much_as_its_logit_says() -> None:
    """Its probability is 0 in float32."""
    total, *_ = ours(tf.constant([[200.0, 0.0]]), tf.eye(2), tf.constant([1]), tf.ones(1), 1)
    assert total == pytest.approx(200)


def ours(hidden: Any, head: Any, targets: Any, weights: Any, chunk: int) -> tuple[float, Any, Any]:
    with tf.GradientTape() as tape:
        tape.watch(hidden)
        total, each = summed_cross_entropy(hidden, head, targets, weights, chunk)
    return float(total), each.numpy(), tf.convert_to_tensor(tape.gradient(total, hidden)).numpy()
