"""The "lstm" kind as a Keras model, unrolled by hand so that it trains fast on a processor.

Three things make it faster there than Keras' own LSTM (docs/benchmarks.md): the input projection is one gather from the
256-row table `embedding @ kernel + bias`; the gradient of the recurrent weights is ONE product over all time steps; and
matrix products are in bfloat16 where the processor has instructions for it, all else in float32.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from .model import NamedModel
from .products import Tensor, product
from .vocabulary import END, SIZE


class LstmNetwork(NamedModel):
    """Bytes in, logits of the next byte out; the recurrent state goes in and comes out.

    Called with inputs (B, T) and state (h, c), (B, H) each, it returns logits (T, B, 256) and the new state. Time is
    the first axis of the logits since the steps are made one by one. `hide`, (T, B, H) or None, multiplies the LSTM's
    outputs (dropout).
    """

    def zero_state(self, rows: int) -> tuple[Tensor, ...]:
        """Returns the state before any post: h and c, (B, H)."""
        return tf.zeros((rows, self.config.units)), tf.zeros((rows, self.config.units))

    def hide_shape(self, rows: int, steps: int) -> tuple[int, ...]:
        """Returns the shape of `hide` for inputs (rows, steps)."""
        return steps, rows, self.config.units

    def call(
        self, inputs: Tensor, state: tuple[Tensor, ...], hide: Tensor = None, products: str | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns logits (T, B, 256) and the new state; `products` overrides the model's type of matrix products."""
        weights = self.tensors()
        kind = tf.as_dtype(products or self.products)
        symbols = tf.transpose(tf.cast(inputs, tf.int32))  # (T, B)
        table = tf.matmul(weights["embedding"], weights["kernel"]) + weights["bias"]  # (256, 4H)
        outputs, h, c = lstm(kind, symbols, table, weights["recurrent"], *state)
        if hide is not None:
            outputs = outputs * hide
        flat = tf.reshape(outputs, (-1, self.config.units))  # (T*B, H)
        logits = product(kind, flat, weights["output_kernel"]) + weights["output_bias"]
        return tf.reshape(logits, (inputs.shape[1], -1, SIZE)), (h, c)


def lstm(
    kind: Any, symbols: Tensor, table: Tensor, recurrent: Tensor, h_first: Tensor, c_first: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns outputs (T, B, H) and the last h and c (B, H) for symbols (T, B), table (256, 4H), recurrent (H, 4H).

    The state is set to zero before each step whose symbol is END. T must be known when the graph is built.
    """
    steps = symbols.shape[0]
    weights = tf.cast(recurrent, kind)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(table: Tensor, recurrent: Tensor, h: Tensor, c: Tensor) -> Any:
        keeps = tf.unstack(tf.cast(tf.not_equal(symbols, END), tf.float32)[:, :, None], axis=0)  # T x (B, 1)
        projected = tf.unstack(tf.gather(table, symbols), axis=0)  # T x (B, 4H)
        outputs, trail = [], []
        for step in range(steps):
            h_kept = tf.cast(h * keeps[step], kind)
            c_kept = c * keeps[step]
            z = projected[step] + tf.cast(tf.matmul(h_kept, weights), tf.float32)  # (B, 4H)
            zi, zf, zg, zo = tf.split(z, 4, axis=1)
            i, f, g, o = tf.sigmoid(zi), tf.sigmoid(zf), tf.tanh(zg), tf.sigmoid(zo)
            c = f * c_kept + i * g
            squashed = tf.tanh(c)
            h = o * squashed
            outputs.append(h)
            trail.append((h_kept, c_kept, i, f, g, o, squashed))

        def gradient(d_outputs: Tensor, d_h: Tensor, d_c: Tensor) -> Any:
            d_each = tf.unstack(d_outputs, axis=0)
            d_gates: list[Tensor] = [None] * steps
            for step in reversed(range(steps)):
                _, c_kept, i, f, g, o, squashed = trail[step]
                d_h = d_h + d_each[step]
                d_c = d_c + d_h * o * (1 - squashed * squashed)
                d_z = tf.concat(
                    [
                        d_c * g * i * (1 - i),
                        d_c * c_kept * f * (1 - f),
                        d_c * i * (1 - g * g),
                        d_h * squashed * o * (1 - o),
                    ],
                    axis=1,
                )  # (B, 4H)
                d_gates[step] = tf.cast(d_z, kind)
                d_c = d_c * f * keeps[step]
                d_h = tf.cast(tf.matmul(d_gates[step], weights, transpose_b=True), tf.float32) * keeps[step]
            d_all = tf.concat(d_gates, axis=0)  # (T*B, 4H)
            h_all = tf.concat([entry[0] for entry in trail], axis=0)  # (T*B, H)
            d_recurrent = tf.cast(tf.matmul(h_all, d_all, transpose_a=True), tf.float32)
            # Which row of the table each step took, as a product: far faster here than adding row by row.
            taken = tf.one_hot(tf.reshape(symbols, (-1,)), SIZE, dtype=kind)  # (T*B, 256)
            d_table = tf.cast(tf.matmul(taken, d_all, transpose_a=True), tf.float32)
            return d_table, d_recurrent, d_h, d_c

        return (tf.stack(outputs, axis=0), h, c), gradient

    return run(table, recurrent, h_first, c_first)  # type: ignore[no-any-return]
