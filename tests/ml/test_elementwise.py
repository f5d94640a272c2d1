from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models_app.ml.elementwise import dropout_mask, sigmoid_gradient, tanh_gradient


@pytest.mark.parametrize(("share", "hidden"), [(0.2, 51), (0.5, 128), (0.9, 230), (0.001, 0)])
def test_a_dropout_mask_hides_its_share_and_keeps_the_mean(share: float, hidden: int) -> None:
    mask = dropout_mask(share, (3, 11, 1001), tf.constant([1, 2])).numpy()
    assert mask.shape == (3, 11, 1001) and mask.dtype == np.float32
    kept = np.float32(256 / (256 - hidden))
    assert set(np.unique(mask)) == ({np.float32(0), kept} if hidden else {kept})
    # Five standard deviations of a share of 33,033 draws.
    assert np.mean(mask == 0) == pytest.approx(hidden / 256, abs=5 * 0.5 / 33_033**0.5)
    assert mask.mean() == pytest.approx(1, abs=0.05)


def test_a_dropout_mask_depends_on_its_seed_alone() -> None:
    first, again, other = (dropout_mask(0.5, (50, 7), tf.constant([1, seed])).numpy() for seed in (2, 2, 3))
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
