"""A layer of a Llama as it learns, in two halves whose gradients are written by hand. Imports TensorFlow.

The frozen weights get no gradients. Between the products, everything is `fused`. Apart from the residual stream, which
is float32, the backward pass needs only what has the dtype of the products.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from . import fused
from .config import LlamaConfig

Tensor = Any
#: The weights of a layer by their names in it.
Weights = Mapping[str, Tensor]


#: The product of a map with its frozen matrix and that with its adapter, which are still to be added.
Parts = tuple[Tensor, Tensor | None]
#: Returns the input of a half's last map for the result of its first one, and what turns their gradients back.
Core = Callable[[Tensor, Tensor | None], tuple[Tensor, Callable[[Tensor, Tensor | None], Tensor]]]


def attended(config: LlamaConfig, weights: Weights, x: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
    """Return the residual stream (R * T, W) after the attention of a layer; mask (R, T, T)."""
    rows, group = mask.shape[0], config.heads // config.kv_heads
    sizes = (config.heads, config.kv_heads, config.head_size)
    norms = (weights["query_norm"], weights["key_norm"]) if config.qk_norm else None
    factors = (config.attention_scale, config.norm_epsilon)

    def attend(one: Tensor, two: Tensor | None) -> Any:
        query, key, value, joined = fused.heads(one, two, turn, norms, rows, sizes, factors)
        seen = fused.attention_weights(tf.matmul(query, key, transpose_b=True), mask, group)

        def gradient(one: Tensor, two: Tensor | None) -> Tensor:
            to_mixed = fused.merged_gradient(one, two, rows, config.kv_heads, config.head_size)
            to_scores = fused.scores_gradient(seen, tf.matmul(to_mixed, value, transpose_b=True))
            to_query, to_key = tf.matmul(to_scores, key), tf.matmul(to_scores, query, transpose_a=True)
            to_value = tf.matmul(seen, to_mixed, transpose_a=True)
            return fused.heads_gradient(to_query, to_key, to_value, joined, turn, norms, sizes, factors)

        return fused.merged(tf.matmul(seen, value), group), gradient

    return _half(config, weights, x, "attend_norm", ("attend", "attend_out"), attend)


def fed_forward(config: LlamaConfig, weights: Weights, x: Tensor) -> Tensor:
    """Return the residual stream (R * T, W) after the feed-forward part of a layer."""

    def gate(one: Tensor, two: Tensor | None) -> Any:
        wide, both = fused.gated(one, two)
        return wide, lambda one, two: fused.gated_gradient(both, one, two)

    return _half(config, weights, x, "expand_norm", ("expand", "contract"), gate)


def _half(config: LlamaConfig, weights: Weights, x: Tensor, norm: str, maps: tuple[str, str], core: Core) -> Tensor:
    """Return x (N, W) + factor * last(core(first(normed x))), with the names of the norm and of the two maps."""
    scale, kind, factor = weights[norm], weights[maps[0]].dtype, config.residual_multiplier
    adapters = [weights[f"{name}.{part}"] for name in maps for part in "ab"] if config.rank else []

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(x: Tensor, *adapters: Tensor) -> Any:
        first, last = (
            _Map(weights[name], adapters[at : at + 2], config.scale) for name, at in zip(maps, (0, 2), strict=True)
        )
        normed, inverse = fused.norm(x, scale, config.norm_epsilon, kind)
        wide, core_gradient = core(*first(normed))

        def gradient(upstream: Tensor) -> Any:
            to_added = upstream if factor == 1 else factor * upstream
            to_wide, to_last = last.gradients(tf.cast(to_added, kind))
            to_normed, to_first = first.gradients(core_gradient(*to_wide))
            return (fused.norm_gradient(x, scale, inverse, upstream, *to_normed), *to_first, *to_last)

        return fused.residual(x, *last(wide), factor), gradient

    return run(x, *adapters)


class _Map:
    """A frozen matrix and its adapter in one pass: x @ kernel and, if there is an adapter, scale * x @ A @ B."""

    def __init__(self, kernel: Tensor, adapter: tuple[Tensor, ...], scale: float) -> None:
        self._kernel, self._scale = kernel, scale
        self._adapter = (
            (tf.cast(adapter[0], kernel.dtype), tf.cast(scale * adapter[1], kernel.dtype)) if adapter else None
        )

    def __call__(self, x: Tensor) -> Parts:
        """Return the two parts of the result for x (N, I): (N, O) each. Keeps what the gradients need."""
        self._x = x
        if self._adapter is None:
            return tf.matmul(x, self._kernel), None
        a, b = self._adapter
        self._narrow = tf.matmul(x, a)  # (N, R)
        return tf.matmul(x, self._kernel), tf.matmul(self._narrow, b)

    def gradients(self, upstream: Tensor) -> tuple[Parts, tuple[Tensor, ...]]:
        """Return the gradient of x in two parts, and those of A and B, if any, in float32."""
        to_x = tf.matmul(upstream, self._kernel, transpose_b=True)
        if self._adapter is None:
            return (to_x, None), ()
        a, b = self._adapter
        back = tf.matmul(upstream, b, transpose_b=True)  # (N, R)
        to_a = tf.cast(tf.matmul(self._x, back, transpose_a=True), tf.float32)
        to_b = self._scale * tf.cast(tf.matmul(self._narrow, upstream, transpose_a=True), tf.float32)
        return (to_x, tf.matmul(back, a, transpose_b=True)), (to_a, to_b)
