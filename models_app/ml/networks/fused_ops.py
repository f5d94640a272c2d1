"""What is done element by element, in as few passes over memory as can be. Imports TensorFlow."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from .mixed_matmul import Tensor


def sigmoid_gradient(sigmoid: Tensor, upstream: Tensor) -> Tensor:
    """Return upstream * sigmoid * (1 - sigmoid), of any shape."""
    return tf.raw_ops.SigmoidGrad(y=sigmoid, dy=upstream)


def tanh_gradient(tanh: Tensor, upstream: Tensor) -> Tensor:
    """Return upstream * (1 - tanh**2), of any shape."""
    return tf.raw_ops.TanhGrad(y=tanh, dy=upstream)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy in nats (N,) of logits (N, S) where these labels (N,) are true.

    TensorFlow's own operation for this takes four times as long on a processor (docs/benchmarks.md). The logarithm of
    what softmax divides by is that of the largest share, which cannot be 0, taken from the largest logit.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(logits: Tensor) -> Any:
        shares = tf.nn.softmax(logits)
        log_sum_exp = tf.reduce_max(logits, axis=1) - tf.math.log(tf.reduce_max(shares, axis=1))

        def gradient(upstream: Tensor) -> Tensor:
            return (shares - tf.one_hot(labels, logits.shape[1])) * upstream[:, None]

        return log_sum_exp - tf.gather(logits, labels, axis=1, batch_dims=1), gradient

    return run(logits)


def sample_dropout_mask(share: float | Tensor, shape: tuple[int, ...], seed: Tensor) -> Tensor:
    """Return factors of this shape: 0 for the share that is hidden, to the nearest 256th, and the same above 1 else.

    Their mean is 1. They depend on `seed`, two int32, alone. A byte decides on each, four from a number drawn: drawing
    one for each takes a twentieth of a training step.
    """
    hidden, count = tf.round(share * 256.0), math.prod(shape)
    numbers = tf.raw_ops.StatelessRandomUniformFullInt(shape=(-(-count // 4),), seed=seed, dtype=tf.int32)
    drawn = tf.reshape(tf.reshape(tf.bitcast(numbers, tf.uint8), (-1,))[:count], shape)
    return tf.cast(drawn >= tf.cast(hidden, tf.uint8), tf.float32) * (256 / (256 - hidden))
