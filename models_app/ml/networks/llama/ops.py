"""The operations of a Llama in TensorFlow, with hand-written gradients that keep little and skip the frozen weights."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

Tensor = Any


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """Return x (N, W) divided by its root mean square, times the frozen weight (W,).

    Zhang and Sennrich 2019, arXiv:1910.07467, equation 4.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(x: Tensor) -> Any:
        inverse = tf.math.rsqrt(tf.reduce_mean(x * x, -1, keepdims=True) + epsilon)  # (N, 1)

        def gradient(upstream: Tensor) -> Tensor:
            scaled = upstream * weight
            along = tf.reduce_mean(scaled * x, -1, keepdims=True) * (inverse * inverse)
            return inverse * (scaled - x * along)

        return x * inverse * weight, gradient

    return run(x)


def frozen_map(x: Tensor, kernel: Tensor) -> Tensor:
    """Return x (N, I) @ the frozen kernel (I, O), multiplied in the kernel's dtype, as float32."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(x: Tensor) -> Any:
        def gradient(upstream: Tensor) -> Tensor:
            return tf.cast(tf.matmul(tf.cast(upstream, kernel.dtype), kernel, transpose_b=True), tf.float32)

        return tf.cast(tf.matmul(tf.cast(x, kernel.dtype), kernel), tf.float32), gradient

    return run(x)


def adapted_map(x: Tensor, kernel: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    """Return x (N, I) @ (kernel (I, O) + scale * a (I, R) @ b (R, O)) as float32; the kernel is frozen.

    All products are in the kernel's dtype. The backward pass keeps x and x @ a in that dtype only.
    """
    kind = kernel.dtype

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(x: Tensor, a: Tensor, b: Tensor) -> Any:
        small, small_a, small_b = tf.cast(x, kind), tf.cast(a, kind), tf.cast(scale * b, kind)
        narrow = tf.matmul(small, small_a)  # (N, R)

        def gradient(upstream: Tensor) -> Any:
            up = tf.cast(upstream, kind)
            back = tf.matmul(up, small_b, transpose_b=True)  # (N, R)
            to_x = tf.matmul(up, kernel, transpose_b=True) + tf.matmul(back, small_a, transpose_b=True)
            to_a = tf.matmul(small, back, transpose_a=True)
            to_b = tf.matmul(narrow, up, transpose_a=True)
            return tf.cast(to_x, tf.float32), tf.cast(to_a, tf.float32), scale * tf.cast(to_b, tf.float32)

        return tf.cast(tf.matmul(small, kernel) + tf.matmul(narrow, small_b), tf.float32), gradient

    return run(x, a, b)


def swiglu(both: Tensor) -> Tensor:
    """Return silu(gate) * up of both = [gate, up] (N, 2H): (N, H). Shazeer 2020, arXiv:2002.05202, equation 6."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(both: Tensor) -> Any:
        gate, up = tf.split(both, 2, axis=-1)
        sigmoid = tf.sigmoid(gate)
        silu = gate * sigmoid

        def gradient(upstream: Tensor) -> Tensor:
            to_gate = upstream * up * (sigmoid + silu * (1 - sigmoid))
            return tf.concat([to_gate, upstream * silu], -1)

        return silu * up, gradient

    return run(both)


def rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Return x (N, heads, D) with each pair (i, i + D / 2) turned by its angle; cosine and sine are (N, 1, D / 2)."""
    first, second = tf.split(x, 2, axis=-1)
    return tf.concat([first * cosine - second * sine, second * cosine + first * sine], -1)


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, kind: Any) -> Tensor:
    """Return softmax(query key^T / sqrt(D) + mask) value, (R, K, G, T, D), products in the dtype `kind`.

    query (R, K, G, T, D): G query heads share a key/value head; key, value (R, K, S, D); mask (R, T, S), 0 or very
    negative. Vaswani et al. 2017, arXiv:1706.03762, equation 1.
    """
    heads, group, size = query.shape[1], query.shape[2], query.shape[4]
    rows, length, seen = tf.shape(query)[0], tf.shape(query)[3], tf.shape(key)[2]
    flat = tf.reshape(query * size**-0.5, [rows, heads, group * length, size])
    scores = tf.cast(tf.matmul(tf.cast(flat, kind), tf.cast(key, kind), transpose_b=True), tf.float32)
    scores = tf.reshape(scores, [rows, heads, group, length, seen]) + mask[:, None, None]
    weights = tf.reshape(tf.nn.softmax(scores), [rows, heads, group * length, seen])
    mixed = tf.cast(tf.matmul(tf.cast(weights, kind), tf.cast(value, kind)), tf.float32)
    return tf.reshape(mixed, [rows, heads, group, length, size])


def summed_cross_entropy(hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor, chunk: int) -> Tensor:
    """Return the summed weighted cross-entropy in nats of hidden (N, W) @ head (V, W)^T, and each place's, (N,).

    The logits exist only for `chunk` places at a time. Their gradient is computed together with them, so they're never
    needed twice. The head is frozen. The gradient of the second result is ignored.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(hidden: Tensor) -> Any:
        total, each, to_hidden = tf.constant(0.0), [], []
        for start in range(0, hidden.shape[0], chunk):
            part = slice(start, min(start + chunk, hidden.shape[0]))
            logits = tf.cast(tf.matmul(tf.cast(hidden[part], head.dtype), head, transpose_b=True), tf.float32)
            losses, errors = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=logits, labels=targets[part])
            total += tf.reduce_sum(losses * weights[part])
            each.append(losses)
            to_hidden.append(tf.matmul(tf.cast(errors * weights[part, None], head.dtype), head))

        def gradient(upstream: Tensor, _: Tensor) -> Tensor:
            return upstream * tf.cast(tf.concat(to_hidden, 0), tf.float32)

        return (total, tf.concat(each, 0)), gradient

    return run(hidden)
