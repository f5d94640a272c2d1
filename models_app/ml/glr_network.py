"""The "glr" kind as a Keras model: gated linear recurrences whose products are made for all steps of a window at once.

What is left of the recurrence is element by element and unrolled, with its backward pass written by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from .contexts import next_keys, rows_of, start_keys
from .glr import EPSILON
from .model import NamedModel
from .products import Tensor, product
from .vocabulary import END, SIZE


class GlrNetwork(NamedModel):
    """Bytes in, logits of the next byte out; the recurrent state goes in and comes out.

    Called with inputs (B, T) and the state (c of each layer (B, H), then the contexts' keys (B, contexts)) it returns
    logits (T, B, 256) and the new state. `hide`, (layers, T, B, H) or None, multiplies what the layers put out
    (dropout).
    """

    def zero_state(self, rows: int) -> tuple[Tensor, ...]:
        """Returns the state before any post."""
        config = self.config
        keys = tf.repeat(tf.constant(start_keys(config.contexts))[None], rows, axis=0)
        return (*(tf.zeros((rows, config.units)) for _ in range(config.layers)), keys)

    def hide_shape(self, rows: int, steps: int) -> tuple[int, ...]:
        """Returns the shape of `hide` for inputs (rows, steps)."""
        return self.config.layers, steps, rows, self.config.units

    def call(
        self, inputs: Tensor, state: tuple[Tensor, ...], hide: Tensor = None, products: str | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns logits (T, B, 256) and the new state; `products` overrides the model's type of matrix products."""
        config, weights = self.config, self.tensors()
        kind = tf.as_dtype(products or self.products)
        symbols = tf.transpose(tf.cast(inputs, tf.int32))  # (T, B)
        steps, rows = inputs.shape[1], tf.shape(inputs)[0]
        keep = tf.cast(tf.not_equal(symbols, END), tf.float32)[:, :, None]  # (T, B, 1)
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
            normed = rms_norm(x, weights[f"layer_{layer}_scale"])
            z = product(kind, normed, weights[f"layer_{layer}_kernel"]) + weights[f"layer_{layer}_bias"]
            candidate, forget, output = tf.split(z, 3, axis=1)
            forget = tf.sigmoid(forget)
            taken = (1 - forget) * candidate
            cube = (steps, rows, config.units)
            c, last = scan(tf.reshape(forget, cube) * keep, tf.reshape(taken, cube), state[layer])
            after.append(last)
            put_out = tf.nn.silu(tf.reshape(c, (-1, config.units))) * tf.sigmoid(output)
            if hide is not None:
                put_out = put_out * tf.reshape(hide[layer], (-1, config.units))
            x = x + product(kind, put_out, weights[f"layer_{layer}_projection"])
        normed = rms_norm(x, weights["output_scale"])
        logits = product(kind, normed, weights["output_kernel"]) + weights["output_bias"]
        return tf.reshape(logits, (steps, rows, SIZE)), (*after, keys)

    def _places(self, symbols: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the table rows (T, B, contexts) of the contexts after each of `symbols` (T, B), and the last keys.

        Nothing in them is learned, so NumPy makes them: as steps of the graph they were half of its operations.
        """
        contexts, table_rows = self.config.contexts, self.config.context_rows

        def made(symbols: NDArray[np.int32], keys: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
            trail = np.empty((*symbols.shape, len(contexts)), np.int64)
            for step, row in enumerate(symbols.astype(np.int64)):
                keys = trail[step] = next_keys(contexts, keys, row)
            return rows_of(trail, table_rows).astype(np.int32), keys

        places, after = tf.numpy_function(made, [symbols, keys], [tf.int32, tf.int64], stateful=False)
        places.set_shape((*symbols.shape, len(contexts)))
        after.set_shape(keys.shape)
        return places, after


def rms_norm(x: Tensor, scale: Tensor) -> Tensor:
    """Returns x over its root mean square along the last axis, times scale (Zhang, Sennrich 2019, arXiv:1910.07467)."""
    return x * tf.math.rsqrt(tf.reduce_mean(x * x, axis=-1, keepdims=True) + EPSILON) * scale


def scan(forget: Tensor, taken: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
    """Returns c (T, B, H) of c_t = forget_t * c_(t-1) + taken_t, and the last of them (B, H); c before is `first`.

    T must be known when the graph is built.
    """
    steps = forget.shape[0]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(forget: Tensor, taken: Tensor, first: Tensor) -> Any:
        forgets, takens = tf.unstack(forget, axis=0), tf.unstack(taken, axis=0)
        c, outputs = first, []
        for step in range(steps):
            c = forgets[step] * c + takens[step]
            outputs.append(c)
        whole = tf.stack(outputs, axis=0)

        def gradient(d_whole: Tensor, d_last: Tensor) -> Any:
            d_each = tf.unstack(d_whole, axis=0)
            d_taken: list[Tensor] = [None] * steps
            d_c = d_last
            for step in reversed(range(steps)):
                d_c = d_c + d_each[step]
                d_taken[step] = d_c
                d_c = d_c * forgets[step]
            d_all = tf.stack(d_taken, axis=0)
            before = tf.concat([first[None], whole[:-1]], axis=0)
            return d_all * before, d_all, d_c

        return (whole, c), gradient

    return run(forget, taken, first)  # type: ignore[no-any-return]
