"""The "lstm" kind as a Keras model, unrolled by hand so that it trains fast on a processor.

Five things make it faster there than Keras' own LSTM (docs/benchmarks.md). The input projection is one gather from the
256-row table `embedding @ kernel + bias`. The gradients of the recurrent weights and of the table are ONE product over
all time steps. Matrix products are in bfloat16 where the processor has instructions for it, all else in float32. The
arrays of a step lie with the batch LAST, (4H, B): a product packs its right operand anew each time, and that is the
small one then; and the gates are views, not copies. And a post's start clears c by a forget gate that is 0 there.
"""

from __future__ import annotations

from typing import Any, Final

import tensorflow as tf

from .elementwise import sigmoid_gradient, tanh_gradient
from .model import NamedModel
from .products import Tensor
from .vocabulary import END, SIZE

_CLOSED: Final = -1e9  # a gate before the sigmoid that is exactly 0 after it


class LstmNetwork(NamedModel):
    """Bytes in, logits of the next byte out; the recurrent state goes in and comes out.

    Called with inputs (B, T) and state (h, c), (B, H) each, it returns logits (T, B, 256) and the new state. Time is
    the first axis of the logits since the steps are made one by one. `hide`, (T, H, B) or None, multiplies the LSTM's
    outputs (dropout).
    """

    def zero_state(self, rows: int) -> tuple[Tensor, ...]:
        """Returns the state before any post: h and c, (B, H)."""
        return tf.zeros((rows, self.config.units)), tf.zeros((rows, self.config.units))

    def hide_shape(self, rows: int, steps: int) -> tuple[int, ...]:
        """Returns the shape of `hide` for inputs (rows, steps)."""
        return steps, self.config.units, rows

    def call(
        self, inputs: Tensor, state: tuple[Tensor, ...], hide: Tensor = None, products: str | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns logits (T, B, 256) and the new state; `products` overrides the model's type of matrix products."""
        weights = self.tensors()
        kind = tf.as_dtype(products or self.products)
        symbols = tf.transpose(tf.cast(inputs, tf.int32))  # (T, B)
        table = tf.matmul(weights["embedding"], weights["kernel"]) + weights["bias"]  # (256, 4H)
        h, c = state
        logits, h, c = lstm(kind, symbols, table, weights["recurrent"], weights["output_kernel"], h, c, hide)
        logits += weights["output_bias"]
        return tf.reshape(logits, (inputs.shape[1], -1, SIZE)), (h, c)


def lstm(
    kind: Any,
    symbols: Tensor,
    table: Tensor,
    recurrent: Tensor,
    output_kernel: Tensor,
    h_first: Tensor,
    c_first: Tensor,
    hide: Tensor = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns outputs @ output_kernel, (T * B, 256), and the last h and c, (B, H).

    It takes symbols (T, B), table (256, 4H), recurrent (H, 4H), output_kernel (H, 256), the first h and c, (B, H), and
    what multiplies the outputs, (T, H, B) or None. The state is set to zero before each step whose symbol is END. T
    must be known when the graph is built.
    """
    steps, units = symbols.shape[0], recurrent.shape[0]
    weights = tf.cast(recurrent, kind)  # (H, 4H)
    # Moved about in three dimensions, since TensorFlow would fold a plain transposition into each step's product.
    weights_across = tf.reshape(tf.transpose(tf.reshape(weights, (units, 4, units)), (1, 2, 0)), (4 * units, units))
    closed = tf.repeat(tf.constant([0.0, _CLOSED, 0.0, 0.0]), units)  # (4H,)
    table = table + tf.one_hot(END, SIZE)[:, None] * closed
    output_weights = tf.cast(output_kernel, kind)
    hides = None if hide is None else tf.unstack(hide, axis=0)

    def shown(step: int, h: Tensor) -> Tensor:
        return h if hides is None else h * hides[step]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(table: Tensor, recurrent: Tensor, output_kernel: Tensor, h: Tensor, c: Tensor) -> Any:
        keeps = tf.unstack(tf.cast(tf.not_equal(symbols, END), tf.float32)[:, None, :], axis=0)  # T x (1, B)
        projected = [tf.transpose(tf.gather(table, row)) for row in tf.unstack(symbols, axis=0)]  # T x (4H, B)
        h, c = tf.transpose(h), tf.transpose(c)
        outputs, trail = [], []
        for step in range(steps):
            h_kept, c_before = tf.cast(h * keeps[step], kind), c
            z = projected[step] + tf.cast(tf.matmul(weights_across, h_kept), tf.float32)  # (4H, B)
            zif, zg, zo = tf.split(z, [2 * units, units, units], axis=0)
            i, f = tf.split(tf.sigmoid(zif), 2, axis=0)
            g, o = tf.tanh(zg), tf.sigmoid(zo)
            c = f * c + i * g
            squashed = tf.tanh(c)
            h = o * squashed
            outputs.append(tf.cast(shown(step, h), kind))
            trail.append((h_kept, c_before, i, f, g, o, squashed))

        def gradient(d_logits: Tensor, d_h: Tensor, d_c: Tensor) -> Any:
            d_logits = tf.cast(d_logits, kind)
            d_each = tf.split(d_logits, steps, axis=0)
            d_h, d_c = tf.transpose(d_h), tf.transpose(d_c)
            d_gates: list[Tensor] = [None] * steps
            for step in reversed(range(steps)):
                _, c_before, i, f, g, o, squashed = trail[step]
                d_output = tf.matmul(output_weights, d_each[step], transpose_b=True)  # (H, B)
                d_h = d_h + shown(step, tf.cast(d_output, tf.float32))
                d_c = d_c + tanh_gradient(squashed, d_h * o)
                d_z = (
                    sigmoid_gradient(i, d_c * g),
                    sigmoid_gradient(f, d_c * c_before),
                    tanh_gradient(g, d_c * i),
                    sigmoid_gradient(o, d_h * squashed),
                )
                d_gates[step] = tf.concat([tf.cast(gate, kind) for gate in d_z], axis=0)  # (4H, B)
                d_c = d_c * f
                d_h = tf.cast(tf.matmul(weights, d_gates[step]), tf.float32) * keeps[step]
            d_all = tf.concat(d_gates, axis=1)  # (4H, T*B)
            h_all = tf.concat([entry[0] for entry in trail], axis=1)  # (H, T*B)
            # Which row of the table each step took, as a product: far faster here than adding row by row.
            taken = tf.one_hot(tf.reshape(symbols, (-1,)), SIZE, axis=0, dtype=kind)  # (256, T*B)
            both = tf.matmul(tf.concat([h_all, taken], axis=0), d_all, transpose_b=True)  # (H + 256, 4H)
            d_recurrent, d_table = tf.split(tf.cast(both, tf.float32), [units, SIZE], axis=0)
            d_output_kernel = tf.cast(tf.matmul(all_outputs, d_logits), tf.float32)
            return d_table, d_recurrent, d_output_kernel, tf.transpose(d_h), tf.transpose(d_c)

        all_outputs = tf.concat(outputs, axis=1)  # (H, T*B)
        logits = tf.cast(tf.matmul(all_outputs, output_weights, transpose_a=True), tf.float32)
        return (logits, tf.transpose(h), tf.transpose(c)), gradient

    return run(table, recurrent, output_kernel, h_first, c_first)  # type: ignore[no-any-return]
