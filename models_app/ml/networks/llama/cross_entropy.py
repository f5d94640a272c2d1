"""The cross-entropy over a large vocabulary, with its gradient. Imports TensorFlow."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

Tensor = Any


def summed_cross_entropy(
    hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor, chunk: int
) -> tuple[Tensor, Tensor]:
    """Return the summed weighted cross-entropy in nats of hidden (N, W) @ head (V, W)^T, and each place's, (N,).

    The logits exist only for `chunk` places at a time. Their gradient is computed together with them, so they're never
    needed twice. The head is frozen. The gradient of the second result is ignored.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(hidden: Tensor) -> Any:
        total, each, to_hidden = tf.constant(0.0), [], []
        for start in range(0, hidden.shape[0], chunk):
            part = slice(start, min(start + chunk, hidden.shape[0]))
            losses, gradients = _losses(tf.cast(hidden[part], head.dtype), head, targets[part])
            total += tf.reduce_sum(losses * weights[part])
            each.append(losses)
            to_hidden.append(gradients * weights[part, None])

        def gradient(upstream: Tensor, _: Tensor) -> Tensor:
            return upstream * tf.concat(to_hidden, 0)

        return (total, tf.concat(each, 0)), gradient

    total, each = run(hidden)
    return total, each


def _losses(hidden: Tensor, head: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropies (N,) and the gradients (N, W) of their sum, both in float32.

    The gradient is (softmax - one-hot targets) @ head. The error at a target is computed in float32 and rounded
    afterwards, since it's tiny where the target is almost certain.
    """
    logits = tf.cast(tf.matmul(hidden, head, transpose_b=True), tf.float32)
    probabilities = tf.nn.softmax(logits)
    at = tf.stack([tf.range(tf.shape(targets)[0]), targets], 1)
    # The log-sum-exp is the largest logit minus the logarithm of its probability, which can't be 0.
    losses = tf.reduce_max(logits, -1) - tf.math.log(tf.reduce_max(probabilities, -1)) - tf.gather_nd(logits, at)
    small = tf.cast(tf.gather_nd(probabilities, at) - 1, head.dtype)
    errors = tf.tensor_scatter_nd_update(tf.cast(probabilities, head.dtype), at, small)
    return losses, tf.cast(tf.matmul(errors, head), tf.float32)
