"""A layer of a Llama as it learns, in two halves whose gradients are written by hand. Imports TensorFlow.

The frozen weights get no gradients. Between the products, everything is `fused`. What the backward pass needs is kept
in the dtype of the products.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from . import fused
from .config import LlamaConfig

Tensor = Any
#: The weights of a layer by their names in it.
Weights = Mapping[str, Tensor]


def attended(config: LlamaConfig, weights: Weights, x: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
    """Return the residual stream (R * T, W) after the attention of a layer; mask (R, T, T)."""
    rows, group = mask.shape[0], config.heads // config.kv_heads
    sizes = (config.heads, config.kv_heads, config.head_size)
    scale = weights["attend_norm"]
    first, last = _Map(config, weights, "attend"), _Map(config, weights, "attend_out")

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(x: Tensor, *adapters: Tensor) -> Any:
        first.adapt(adapters[:2])
        last.adapt(adapters[2:])
        normed, inverse = fused.norm(x, scale, config.norm_epsilon, first.kind)
        query, key, value = fused.heads(*first(normed), turn, rows, sizes)
        seen = fused.attention_weights(tf.matmul(query, key, transpose_b=True), mask, group)
        result = fused.residual(x, *last(fused.merged(tf.matmul(seen, value), group)))

        def gradient(upstream: Tensor) -> Any:
            to_merged, to_last = last.gradients(tf.cast(upstream, last.kind))
            to_mixed = fused.merged_gradient(*to_merged, rows, config.kv_heads, config.head_size)
            to_scores = fused.scores_gradient(seen, tf.matmul(to_mixed, value, transpose_b=True))
            to_query, to_key = tf.matmul(to_scores, key), tf.matmul(to_scores, query, transpose_a=True)
            to_value = tf.matmul(seen, to_mixed, transpose_a=True)
            to_normed, to_first = first.gradients(fused.heads_gradient(to_query, to_key, to_value, turn, sizes))
            return (fused.norm_gradient(x, scale, inverse, upstream, *to_normed), *to_first, *to_last)

        return result, gradient

    return run(x, *first.adapter, *last.adapter)


def fed_forward(config: LlamaConfig, weights: Weights, x: Tensor) -> Tensor:
    """Return the residual stream (R * T, W) after the feed-forward part of a layer."""
    scale = weights["expand_norm"]
    first, last = _Map(config, weights, "expand"), _Map(config, weights, "contract")

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(x: Tensor, *adapters: Tensor) -> Any:
        first.adapt(adapters[:2])
        last.adapt(adapters[2:])
        normed, inverse = fused.norm(x, scale, config.norm_epsilon, first.kind)
        wide, both = fused.gated(*first(normed))
        result = fused.residual(x, *last(wide))

        def gradient(upstream: Tensor) -> Any:
            to_wide, to_last = last.gradients(tf.cast(upstream, last.kind))
            to_normed, to_first = first.gradients(fused.gated_gradient(both, *to_wide))
            return (fused.norm_gradient(x, scale, inverse, upstream, *to_normed), *to_first, *to_last)

        return result, gradient

    return run(x, *first.adapter, *last.adapter)


class _Map:
    """A frozen matrix and its adapter in one pass: x @ kernel and, if there is an adapter, scale * x @ A @ B."""

    def __init__(self, config: LlamaConfig, weights: Weights, name: str) -> None:
        self._kernel = weights[name]
        self._scale = config.scale
        self.kind = self._kernel.dtype
        self.adapter: tuple[Tensor, ...] = (weights[f"{name}.a"], weights[f"{name}.b"]) if config.rank else ()
        self._small: tuple[Tensor, Tensor] | None = None

    def adapt(self, adapter: tuple[Tensor, ...]) -> None:
        """Take the tensors A and B that get gradients, if any."""
        if adapter:
            self._small = tf.cast(adapter[0], self.kind), tf.cast(self._scale * adapter[1], self.kind)

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the two parts of the result for x (N, I): (N, O) each. Keeps what the gradients need."""
        self._x = x
        if self._small is None:
            return tf.matmul(x, self._kernel), None
        self._narrow = tf.matmul(x, self._small[0])  # (N, R)
        return tf.matmul(x, self._kernel), tf.matmul(self._narrow, self._small[1])

    def gradients(self, upstream: Tensor) -> tuple[tuple[Tensor, Tensor | None], tuple[Tensor, ...]]:
        """Return the gradient of x in two parts, and those of A and B, if any, in float32."""
        to_x = tf.matmul(upstream, self._kernel, transpose_b=True)
        if self._small is None:
            return (to_x, None), ()
        a, b = self._small
        back = tf.matmul(upstream, b, transpose_b=True)  # (N, R)
        to_a = tf.cast(tf.matmul(self._x, back, transpose_a=True), tf.float32)
        to_b = self._scale * tf.cast(tf.matmul(self._narrow, upstream, transpose_a=True), tf.float32)
        return (to_x, tf.matmul(back, a, transpose_b=True)), (to_a, to_b)
