"""The operations of a Llama's forward pass in TensorFlow. `layer` has the gradients of training."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

Tensor = Any


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """Return x (., W) divided by its root mean square, times the weight (W,).

    Zhang and Sennrich 2019, arXiv:1910.07467, equation 4.
    """
    return x * inverse_rms(x, epsilon) * weight


def inverse_rms(x: Tensor, epsilon: float) -> Tensor:
    """Return 1 over the root mean square of x (., W), (., 1)."""
    return tf.math.rsqrt(tf.reduce_mean(x * x, -1, keepdims=True) + epsilon)


def swiglu(both: Tensor) -> Tensor:
    """Return silu(gate) * up of both = [gate, up] (N, 2H): (N, H). Shazeer 2020, arXiv:2002.05202, equation 6."""
    gate, up = tf.split(both, 2, axis=-1)
    return gate * tf.sigmoid(gate) * up


def rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Return x (N, heads, D) with each pair (i, i + D / 2) turned by its angle; cosine and sine are (N, 1, D / 2)."""
    first, second = tf.split(x, 2, axis=-1)
    return tf.concat([first * cosine - second * sine, second * cosine + first * sine], -1)


def by_head(x: Tensor, rows: Any, length: Any, kv_heads: int) -> Tensor:
    """Return x (R * T, heads, D) as (R, kv_heads, heads / kv_heads, T, D)."""
    heads, size = x.shape[1:]
    return tf.transpose(tf.reshape(x, (rows, length, kv_heads, heads // kv_heads, size)), (0, 2, 3, 1, 4))


def by_place(x: Tensor) -> Tensor:
    """Return x (R, kv_heads, heads / kv_heads, T, D) as (R, T, kv_heads, heads / kv_heads, D), the way back."""
    return tf.transpose(x, (0, 3, 1, 2, 4))
