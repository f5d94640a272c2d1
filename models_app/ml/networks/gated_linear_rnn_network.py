"""The "glr" kind as a Keras model: gated linear recurrences whose products are made for all steps of a window at once.

What is left of the recurrence is element by element and unrolled. Backward passes are written by hand: a step spends
half of its time on passes over memory, and automatic differentiation makes many more of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models_app.ml.vocabulary import END, SIZE

from .fused_ops import sigmoid_gradient
from .gated_linear_rnn import EPSILON
from .hashed_ngrams import next_keys, rows_of, start_keys
from .keras_network import NamedModel
from .mixed_matmul import Tensor, affine_parts, product


class GlrNetwork(NamedModel):
    """Bytes in, logits of the next byte out; the recurrent state goes in and comes out.

    Called with inputs (B, T) and the state (c of each layer (B, H), then the contexts' keys (B, contexts)) it returns
    logits (T, B, 256) and the new state. `dropout_mask`, (layers, T, B, H) or None, multiplies what the layers put out
    (dropout).
    """

    def zero_state(self, rows: int) -> tuple[Tensor, ...]:
        """Return the state before any post."""
        config = self.config
        keys = tf.repeat(tf.constant(start_keys(config.contexts))[None], rows, axis=0)
        return (*(tf.zeros((rows, config.units)) for _ in range(config.layers)), keys)

    def hide_shape(self, rows: int, steps: int) -> tuple[int, ...]:
        """Return the shape of `dropout_mask` for inputs (rows, steps)."""
        return self.config.layers, steps, rows, self.config.units

    def call(
        self, inputs: Tensor, state: tuple[Tensor, ...], dropout_mask: Tensor = None, products: str | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return logits (T, B, 256) and the new state; `products` overrides the model's type of matrix products."""
        config, weights = self.config, self.tensors()
        kind = tf.as_dtype(products or self.products)
        symbols = tf.transpose(tf.cast(inputs, tf.int32))  # (T, B)
        steps, rows = inputs.shape[1], tf.shape(inputs)[0]
        keeps = tf.unstack(tf.cast(tf.not_equal(symbols, END), tf.float32)[:, :, None], axis=0)  # T x (B, 1)
        parts = [tf.gather(weights["embedding"], symbols)]
        keys = state[-1]
        if config.contexts:
            places, keys = self._places(symbols, keys)  # (T, B, contexts)
            for place in range(len(config.contexts)):
                parts.append(tf.gather(weights[f"context_{place}_embedding"], places[:, :, place]))
        flat = tf.concat(parts, axis=-1)
        x = product(kind, tf.reshape(flat, (-1, flat.shape[-1])), weights["input_kernel"])  # (T*B, H)
        after = []
        for layer in range(config.layers):
            # A norm's scale is a factor of the rows of the product behind it.
            kernel = weights[f"layer_{layer}_scale"][:, None] * weights[f"layer_{layer}_kernel"]
            candidate, forget, output = affine_parts(kind, rms_norm(x), kernel, weights[f"layer_{layer}_bias"], 3)
            put_out, last = memory(candidate, forget, output, keeps, state[layer])
            after.append(last)
            if dropout_mask is not None:
                put_out = put_out * tf.reshape(dropout_mask[layer], (-1, config.units))
            x = x + product(kind, put_out, weights[f"layer_{layer}_projection"])
        kernel = weights["output_scale"][:, None] * weights["output_kernel"]
        logits = product(kind, rms_norm(x), kernel) + weights["output_bias"]
        return tf.reshape(logits, (steps, rows, SIZE)), (*after, keys)

    def _places(self, symbols: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Return the table rows (T, B, contexts) of the contexts after each of `symbols` (T, B), and the last keys.

        Nothing in them is learned, so NumPy makes them: as steps of the graph they were half of its operations.
        """
        contexts, table_rows = self.config.contexts, self.config.context_rows

        def made(symbols: NDArray[np.int32], keys: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
            trail = np.empty((*symbols.shape, len(contexts)), np.int64)
            for step, row in enumerate(symbols):
                keys = trail[step] = next_keys(contexts, keys, row)
            return rows_of(trail, table_rows).astype(np.int32), keys

        places, after = tf.numpy_function(made, [symbols, keys], [tf.int32, tf.int64], stateful=False)
        places.set_shape((*symbols.shape, len(contexts)))
        after.set_shape(keys.shape)
        return places, after


@tf.custom_gradient  # type: ignore[untyped-decorator]
def rms_norm(x: Tensor) -> Any:
    """Return x over its root mean square along the last axis (Zhang, Sennrich 2019, arXiv:1910.07467)."""
    factor = tf.math.rsqrt(tf.reduce_mean(x * x, axis=-1, keepdims=True) + EPSILON)
    normed = x * factor

    def gradient(upstream: Tensor) -> Tensor:
        return (upstream - normed * tf.reduce_mean(upstream * normed, axis=-1, keepdims=True)) * factor

    return normed, gradient


def memory(
    candidate: Tensor, forget: Tensor, output: Tensor, keeps: list[Tensor], first: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what a layer puts out, silu(c) * sigmoid(output), (T*B, H), and the last c (B, H).

    c_t = f_t * c_(t-1) + (1 - f_t) * candidate_t with f = sigmoid(forget); c before is `first`. `candidate`, `forget`
    and `output` are (T*B, H); before step t, c is multiplied by keeps[t], (B, 1), 0 or 1.
    """
    steps = len(keeps)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(candidate: Tensor, forget: Tensor, output: Tensor, first: Tensor) -> Any:
        opened = tf.sigmoid(output)
        candidates, forgets = tf.split(candidate, steps, axis=0), tf.split(tf.sigmoid(forget), steps, axis=0)
        c, cells, above = first, [], []  # above: by how much the c before is above the candidate
        for step in range(steps):
            above.append(c * keeps[step] - candidates[step])
            c = candidates[step] + forgets[step] * above[step]
            cells.append(c)
        whole = tf.concat(cells, axis=0)
        share = tf.sigmoid(whole)
        silu = whole * share

        def gradient(upstream: Tensor, d_c: Tensor) -> Any:
            d_output = sigmoid_gradient(opened, upstream * silu)
            d_each = tf.split(upstream * opened * (share + silu - silu * share), steps, axis=0)
            d_candidate: list[Tensor] = [None] * steps
            d_forget: list[Tensor] = [None] * steps
            for step in reversed(range(steps)):
                d_c = d_c + d_each[step]
                d_forget[step] = sigmoid_gradient(forgets[step], d_c * above[step])
                d_above = d_c * forgets[step]
                d_candidate[step] = d_c - d_above
                d_c = d_above * keeps[step]
            return tf.concat(d_candidate, axis=0), tf.concat(d_forget, axis=0), d_output, d_c

        return (silu * opened, c), gradient

    return run(candidate, forget, output, first)  # type: ignore[no-any-return]
