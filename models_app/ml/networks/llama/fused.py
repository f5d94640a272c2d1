"""What a Llama's training computes between its matrix products, forward and backward. Imports TensorFlow.

On a processor, XLA compiles each of these functions into few passes over memory. They compute in float32, but take and
return the dtype of the products, except for the residual stream. A map's result comes in two parts, which are added
here: the product with the frozen matrix, and that with the adapter (None if there is no adapter).

What is compiled stays for the life of the process, for each shape of a batch. Each training has a process of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import tensorflow as tf

from models_app.ml.networks.mixed_matmul import has_gpu

from .ops import by_head, by_place, inverse_rms, rms_norm, rotated, swiglu

Tensor = Any
_log = logging.getLogger(__name__)


@cache
def has_xla() -> bool:
    """Return whether XLA compiles for this machine's processor. A GPU keeps TensorFlow's kernels."""
    if has_gpu():
        return False
    try:
        with tf.init_scope():  # not within the graph that is being built
            tf.function(tf.exp, jit_compile=True)(tf.zeros(1))
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        _log.warning("XLA doesn't compile here, so fluent trainings take longer: %s", error)
        return False
    return True


def _fused(function: Callable[..., Any]) -> Callable[..., Any]:
    @cache
    def compiled(xla: bool) -> Any:
        return tf.function(function, autograph=False, jit_compile=xla)

    @wraps(function)
    def run(*arguments: Any) -> Any:
        return compiled(has_xla())(*arguments)

    return run


def _norm_gradient(x: Tensor, weight: Tensor, inverse: Tensor, upstream: Tensor) -> Tensor:
    """Return the gradient of x (., W), given that of its norm; inverse: 1 over the root mean squares."""
    scaled = upstream * weight
    along = tf.reduce_mean(scaled * x, -1, keepdims=True) * (inverse * inverse)
    return inverse * (scaled - x * along)


def _sum(one: Tensor, two: Tensor | None) -> Tensor:
    wide = tf.cast(one, tf.float32)
    return wide if two is None else wide + tf.cast(two, tf.float32)


@_fused
def norm(x: Tensor, weight: Tensor, epsilon: float, kind: Any) -> tuple[Tensor, Tensor]:
    """Return the norm of x (N, W) in the dtype `kind`, and 1 over the root mean squares (N, 1)."""
    inverse = inverse_rms(x, epsilon)
    return tf.cast(x * inverse * weight, kind), inverse


@_fused
def norm_gradient(
    x: Tensor, weight: Tensor, inverse: Tensor, upstream: Tensor, one: Tensor, two: Tensor | None
) -> Tensor:
    """Return the gradient of x in float32: that of its norm, whose gradient comes in two parts, plus `upstream`."""
    return upstream + _norm_gradient(x, weight, inverse, _sum(one, two))


@_fused
def residual(x: Tensor, one: Tensor, two: Tensor | None, factor: float) -> Tensor:
    """Return x, in float32, plus `factor` times a map's result."""
    return x + factor * _sum(one, two)


@_fused
def gated(one: Tensor, two: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return SwiGLU of a map's result, and that result, both in its dtype."""
    both = tf.cast(_sum(one, two), one.dtype)
    return tf.cast(swiglu(tf.cast(both, tf.float32)), one.dtype), both


@_fused
def gated_gradient(both: Tensor, one: Tensor, two: Tensor | None) -> Tensor:
    """Return the gradient of `both`, given that of its SwiGLU in two parts."""
    gate, up = tf.split(tf.cast(both, tf.float32), 2, axis=-1)
    upstream, sigmoid = _sum(one, two), tf.sigmoid(gate)
    silu = gate * sigmoid
    return tf.cast(tf.concat([upstream * up * (sigmoid + silu * (1 - sigmoid)), upstream * silu], -1), both.dtype)


@_fused
def heads(
    one: Tensor,
    two: Tensor | None,
    turn: Any,
    norms: tuple[Tensor, Tensor] | None,
    rows: int,
    sizes: tuple[int, int, int],
    factors: tuple[float, float],
) -> tuple[Tensor, ...]:
    """Return the queries (R, K, G * T, D), keys and values (R, K, T, D) in a map's result, and what the gradient needs.

    Queries and keys are normed if there are `norms`, then turned, and queries multiplied by the first of the factors.
    turn: cosines and sines, (R * T, 1, D / 2) each; norms: of queries and of keys, (D,) each, whose epsilon is the
    second factor; sizes: query heads, key/value heads K, and D.
    """
    query_heads, kv_heads, size = sizes
    places = one.shape[0]
    joined = tf.reshape(_sum(one, two), (places, query_heads + 2 * kv_heads, size))
    query, key, value = tf.split(joined, [query_heads, kv_heads, kv_heads], axis=1)
    kept = None
    if norms is not None:
        kept = tf.cast(joined[:, : query_heads + kv_heads], one.dtype)
        query, key = (rms_norm(part, weight, factors[1]) for part, weight in zip((query, key), norms, strict=True))
    parts = (rotated(query, *turn) * factors[0], rotated(key, *turn), value)
    return *(_flat(by_head(tf.cast(part, one.dtype), rows, places // rows, kv_heads)) for part in parts), kept


@_fused
def heads_gradient(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    kept: Tensor | None,
    turn: Any,
    norms: tuple[Tensor, Tensor] | None,
    sizes: tuple[int, int, int],
    factors: tuple[float, float],
) -> Tensor:
    """Return the gradient (R * T, .) of the map's result, given those of queries, keys and values.

    kept: the queries and keys (R * T, ., D) before they were normed, if they were.
    """
    query_heads, kv_heads, size = sizes
    cosine, sine = turn
    turned, key_turned, straight = (
        tf.reshape(by_place(_grouped(tf.cast(part, tf.float32), number // kv_heads)), (-1, number, size))
        for part, number in ((query, query_heads), (key, kv_heads), (value, kv_heads))
    )
    # The way back is a turn by the negative angle.
    to_query, to_key = rotated(turned * factors[0], cosine, -sine), rotated(key_turned, cosine, -sine)
    if norms is not None and kept is not None:
        before = tf.split(tf.cast(kept, tf.float32), [query_heads, kv_heads], axis=1)
        to_query, to_key = (
            _norm_gradient(x, weight, inverse_rms(x, factors[1]), upstream)
            for x, weight, upstream in zip(before, norms, (to_query, to_key), strict=True)
        )
    joined = tf.concat([to_query, to_key, straight], 1)
    return tf.cast(tf.reshape(joined, (joined.shape[0], -1)), query.dtype)


@_fused
def attention_weights(scores: Tensor, mask: Tensor, group: int) -> Tensor:
    """Return softmax(scores + mask) of scores (R, K, G * T, S) and mask (R, T, S)."""
    masked = _grouped(tf.cast(scores, tf.float32), group) + mask[:, None, None]
    return tf.cast(_flat(tf.nn.softmax(masked)), scores.dtype)


@_fused
def scores_gradient(weights: Tensor, upstream: Tensor) -> Tensor:
    """Return the gradient of the scores, given that of the weights of attention."""
    wide, upstream = tf.cast(weights, tf.float32), tf.cast(upstream, tf.float32)
    along = tf.reduce_sum(wide * upstream, -1, keepdims=True)
    return tf.cast(wide * (upstream - along), weights.dtype)


@_fused
def merged(mixed: Tensor, group: int) -> Tensor:
    """Return attention's result (R, K, G * T, D) as (R * T, K * G * D)."""
    rows, kv_heads, places, size = mixed.shape
    return tf.reshape(by_place(_grouped(mixed, group)), (rows * places // group, kv_heads * group * size))


@_fused
def merged_gradient(one: Tensor, two: Tensor | None, rows: int, kv_heads: int, size: int) -> Tensor:
    """Return the gradient of attention's result, given that of `merged` in two parts."""
    places, width = one.shape
    whole = tf.reshape(tf.cast(_sum(one, two), one.dtype), (places, width // size, size))
    return _flat(by_head(whole, rows, places // rows, kv_heads))


def _flat(x: Tensor) -> Tensor:
    """Return x (R, K, G, T, .) as (R, K, G * T, .)."""
    rows, kv_heads, group, places, last = x.shape
    return tf.reshape(x, (rows, kv_heads, group * places, last))


def _grouped(x: Tensor, group: int) -> Tensor:
    """Return x (R, K, G * T, .) as (R, K, G, T, .)."""
    rows, kv_heads, places, last = x.shape
    return tf.reshape(x, (rows, kv_heads, group, places // group, last))
