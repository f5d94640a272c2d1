from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models_app.ml.networks import fused_ops
from models_app.ml.networks.fused_ops import (
    cross_entropy,
    output_loss,
    sample_dropout_mask,
    sigmoid_gradient,
    tanh_gradient,
)


@pytest.mark.parametrize(("share", "hidden"), [(0.2, 51), (0.5, 128), (0.9, 230), (0.001, 0)])
def test_a_dropout_mask_hides_its_share_and_keeps_the_mean(share: float, hidden: int) -> None:
    mask = sample_dropout_mask(share, (3, 11, 1001), tf.constant([1, 2])).numpy()
    assert mask.shape == (3, 11, 1001) and mask.dtype == np.float32
    kept = np.float32(256 / (256 - hidden))
    assert set(np.unique(mask)) == ({np.float32(0), kept} if hidden else {kept})
    # Five standard deviations of a share of 33,033 draws.
    assert np.mean(mask == 0) == pytest.approx(hidden / 256, abs=5 * 0.5 / 33_033**0.5)
    assert mask.mean() == pytest.approx(1, abs=0.05)


def test_a_dropout_mask_depends_on_its_seed_alone() -> None:
    first, again, other = (sample_dropout_mask(0.5, (50, 7), tf.constant([1, seed])).numpy() for seed in (2, 2, 3))
    np.testing.assert_array_equal(first, again)
    assert 100 < np.sum(first != other) < 250


def test_the_gradients_are_those_of_automatic_differentiation() -> None:
    x = tf.constant(np.random.default_rng(1).normal(size=(4, 5)), tf.float32)
    upstream = tf.constant(np.random.default_rng(2).normal(size=(4, 5)), tf.float32)
    for function, gradient in ((tf.sigmoid, sigmoid_gradient), (tf.tanh, tanh_gradient)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        expected: Any = tape.gradient(y, x, [upstream])
        np.testing.assert_allclose(gradient(y, upstream), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("spread", [1.0, 300.0])
def test_the_cross_entropy_and_its_gradient_are_tensorflows_own(spread: float) -> None:
    rng = np.random.default_rng(3)
    logits = tf.constant(rng.normal(size=(6, 256)) * spread, tf.float32)
    labels = tf.constant(rng.integers(0, 256, 6), tf.int32)
    upstream = tf.constant([0.0, 1.0, 2.0, -1.0, 0.5, 1.0])
    found = []
    for function in (
        cross_entropy,
        lambda logits, labels: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits),
    ):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            each: Any = function(logits, labels)
        found.append((each, *tape.gradient(each, [logits], [upstream])))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-6)


def test_the_cross_entropy_of_what_is_no_number_is_none() -> None:
    logits = np.zeros((3, 256), np.float32)
    logits[0, 7], logits[1, 7], logits[2, 7] = np.nan, np.inf, -np.inf
    each = cross_entropy(tf.constant(logits), tf.constant([3, 3, 7])).numpy()
    assert not np.isfinite(each).any()


@pytest.mark.parametrize("at_a_time", [1, 3, 7, 100])
def test_the_loss_in_parts_and_its_gradients_are_tensorflows_own(
    at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(4)
    monkeypatch.setattr(fused_ops, "MAX_LOGITS", at_a_time * 50)
    read, head, bias = (tf.constant(rng.normal(size=shape), tf.float32) for shape in ((8, 5), (50, 5), (50,)))
    labels = tf.constant(rng.integers(0, 50, 8), tf.int32)
    weights = tf.constant([1.0, 0.0, 1.0, 1.0, 0.5, 1.0, 1.0, 0.0])

    def whole(read: Any, head: Any, bias: Any) -> Any:
        logits = tf.matmul(read, head, transpose_b=True) + bias
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        return tf.reduce_sum(each * weights)

    def in_parts(read: Any, head: Any, bias: Any) -> Any:
        return output_loss(tf.float32, read, head, bias, labels, weights)

    found = []
    for function in (in_parts, whole):
        with tf.GradientTape() as tape:
            tape.watch([read, head, bias])
            loss = function(read, head, bias) * 3
        found.append(np.concatenate([np.ravel(array) for array in (loss, *tape.gradient(loss, [read, head, bias]))]))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-5)
