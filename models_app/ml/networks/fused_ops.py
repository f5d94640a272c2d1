"""Element-wise operations with as few passes over memory as possible. Imports TensorFlow."""

from __future__ import annotations

import math
from typing import Any, Final

import tensorflow as tf

from .lstm import HARD_SLOPE
from .mixed_matmul import Tensor

#: Of `output_loss`, at a time: 4 MB in float32.
MAX_LOGITS: Final = 2**20


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

    TensorFlow's own operation takes four times as long on a CPU (docs/benchmarks.md).
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(logits: Tensor) -> Any:
        losses, probabilities = _losses(logits, labels)

        def gradient(upstream: Tensor) -> Tensor:
            return (probabilities - tf.one_hot(labels, logits.shape[1])) * upstream[:, None]

        return losses, gradient

    return run(logits)


def _losses(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy (N,) and the probabilities (N, S).

    The log-sum-exp is the largest logit minus the logarithm of its probability, which can't be 0.
    """
    probabilities = tf.nn.softmax(logits)
    log_sum_exp = tf.reduce_max(logits, axis=1) - tf.math.log(tf.reduce_max(probabilities, axis=1))
    return log_sum_exp - tf.gather(logits, labels, axis=1, batch_dims=1), probabilities


def output_loss(kind: Any, read: Tensor, head: Tensor, bias: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the summed weighted cross-entropy in nats of read (N, W) @ head (S, W)^T + bias (S,).

    `labels` and `weights` are (N,); the weights get no gradient. Products have the dtype `kind`. N must be known when
    the graph is built. The logits exist only for MAX_LOGITS / S rows at a time, and so do their gradients, which are
    computed with them, so they're never in memory together.
    """
    rows, chunk = read.shape[0], max(1, MAX_LOGITS // head.shape[0])

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(read: Tensor, head: Tensor, bias: Tensor) -> Any:
        small_read, small_head = tf.cast(read, kind), tf.cast(head, kind)
        total: Any = 0.0
        to_read: list[Tensor] = []
        to_head: Any = 0.0
        to_bias: Any = 0.0
        for start in range(0, rows, chunk):
            part = slice(start, min(start + chunk, rows))
            logits = tf.cast(tf.matmul(small_read[part], small_head, transpose_b=True), tf.float32) + bias
            losses, probabilities = _losses(logits, labels[part])
            total += tf.reduce_sum(losses * weights[part])
            errors = tf.cast((probabilities - tf.one_hot(labels[part], head.shape[0])) * weights[part, None], kind)
            to_read.append(tf.matmul(errors, small_head))
            to_head += tf.cast(tf.matmul(errors, small_read[part], transpose_a=True), tf.float32)
            to_bias += tf.cast(tf.matmul(tf.ones((1, part.stop - part.start), kind), errors)[0], tf.float32)

        def gradient(upstream: Tensor) -> Any:
            return upstream * tf.cast(tf.concat(to_read, 0), tf.float32), upstream * to_head, upstream * to_bias

        return total, gradient

    return run(read, head, bias)


def sample_dropout_mask(rate: float | Tensor, shape: tuple[int, ...], seed: Tensor) -> Tensor:
    """Return a float32 dropout mask of this shape: 0 with probability `rate` (rounded to 1/256), else 1 / (1 - rate).

    Depends only on `seed`, two int32. One random byte decides each element, four from each random number; a number for
    each element would take a twentieth of a training step.
    """
    threshold, count = tf.round(rate * 256.0), math.prod(shape)
    numbers = tf.raw_ops.StatelessRandomUniformFullInt(shape=(-(-count // 4),), seed=seed, dtype=tf.int32)
    random_bytes = tf.reshape(tf.reshape(tf.bitcast(numbers, tf.uint8), (-1,))[:count], shape)
    return tf.cast(random_bytes >= tf.cast(threshold, tf.uint8), tf.float32) * (256 / (256 - threshold))
