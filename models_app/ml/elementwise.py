"""What is done element by element, in as few passes over memory as can be. Imports TensorFlow."""

from __future__ import annotations

import math

import tensorflow as tf

from .products import Tensor


def sigmoid_gradient(sigmoid: Tensor, upstream: Tensor) -> Tensor:
    """Returns upstream * sigmoid * (1 - sigmoid), of any shape."""
    return tf.raw_ops.SigmoidGrad(y=sigmoid, dy=upstream)


def tanh_gradient(tanh: Tensor, upstream: Tensor) -> Tensor:
    """Returns upstream * (1 - tanh**2), of any shape."""
    return tf.raw_ops.TanhGrad(y=tanh, dy=upstream)


def dropout_mask(share: float | Tensor, shape: tuple[int, ...], seed: Tensor) -> Tensor:
    """Returns factors of this shape: 0 for the share that is hidden, to the nearest 256th, and the same above 1 else.

    Their mean is 1. They depend on `seed`, two int32, alone. A byte decides on each, four from a number drawn: drawing
    one for each takes a twentieth of a training step.
    """
    hidden, count = tf.round(share * 256.0), math.prod(shape)
    numbers = tf.raw_ops.StatelessRandomUniformFullInt(shape=(-(-count // 4),), seed=seed, dtype=tf.int32)
    drawn = tf.reshape(tf.reshape(tf.bitcast(numbers, tf.uint8), (-1,))[:count], shape)
    return tf.cast(drawn >= tf.cast(hidden, tf.uint8), tf.float32) * (256 / (256 - hidden))
