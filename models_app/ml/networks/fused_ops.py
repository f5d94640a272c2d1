"""Element-wise operations with as few passes over memory as possible. Imports TensorFlow."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from .lstm import HARD_SLOPE
from .mixed_matmul import Tensor


def sigmoid_gradient(sigmoid: Tensor, upstream: Tensor) -> Tensor:
    """Return upstream * sigmoid * (1 - sigmoid), of any shape."""
    return tf.raw_ops.SigmoidGrad(y=sigmoid, dy=upstream)


def hard_sigmoid(x: Tensor) -> Tensor:
    """Return clip(x / 5 + 1 / 2, 0, 1), of any shape."""
    return tf.clip_by_value(HARD_SLOPE * x + 0.5, 0.0, 1.0)


def hard_sigmoid_gradient(hard: Tensor, upstream: Tensor) -> Tensor:
    """Return upstream / 5 where `hard` is between 0 and 1, else 0, of any shape."""
    return HARD_SLOPE * upstream * tf.cast((hard > 0) & (hard < 1), upstream.dtype)


def tanh_gradient(tanh: Tensor, upstream: Tensor) -> Tensor:
    """Return upstream * (1 - tanh**2), of any shape."""
    return tf.raw_ops.TanhGrad(y=tanh, dy=upstream)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy in nats (N,) of logits (N, S) and the true labels (N,).

    TensorFlow's own operation takes four times as long on a CPU (docs/benchmarks.md). The log-sum-exp is the largest
    logit minus the logarithm of its probability, which can't be 0.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(logits: Tensor) -> Any:
        probabilities = tf.nn.softmax(logits)
        log_sum_exp = tf.reduce_max(logits, axis=1) - tf.math.log(tf.reduce_max(probabilities, axis=1))

        def gradient(upstream: Tensor) -> Tensor:
            return (probabilities - tf.one_hot(labels, logits.shape[1])) * upstream[:, None]

        return log_sum_exp - tf.gather(logits, labels, axis=1, batch_dims=1), gradient

    return run(logits)


def sample_dropout_mask(rate: float | Tensor, shape: tuple[int, ...], seed: Tensor) -> Tensor:
    """Return a float32 dropout mask of this shape: 0 with probability `rate` (rounded to 1/256), else 1 / (1 - rate).

    Depends only on `seed`, two int32. One random byte decides each element, four from each random number; a number for
    each element would take a twentieth of a training step.
    """
    threshold, count = tf.round(rate * 256.0), math.prod(shape)
    numbers = tf.raw_ops.StatelessRandomUniformFullInt(shape=(-(-count // 4),), seed=seed, dtype=tf.int32)
    random_bytes = tf.reshape(tf.reshape(tf.bitcast(numbers, tf.uint8), (-1,))[:count], shape)
    return tf.cast(random_bytes >= tf.cast(threshold, tf.uint8), tf.float32) * (256 / (256 - threshold))
