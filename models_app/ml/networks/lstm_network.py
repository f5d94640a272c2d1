"""The "lstm" network as a Keras model, unrolled by hand so that it trains fast on a CPU.

Five things make it faster than Keras' own LSTM on a CPU (docs/benchmarks.md):

- A step's input is stacked below its state, so ONE product computes all gates, and ONE product over all steps computes
  the gradients of all weights in it.
- Matrix products are in bfloat16 where the CPU has instructions for it; everything else is in float32.
- The arrays of a step have the batch LAST, (4H, B). A product repacks its right operand each time, and this makes the
  small one the right operand.
- For the same reason, the gates are views, not copies.
- The start of a post clears c through a forget gate that is 0 there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import tensorflow as tf

from models_app.ml.vocabulary import vocabulary_of

from .fused_ops import hard_sigmoid, hard_sigmoid_gradient, sigmoid_gradient, tanh_gradient
from .keras_network import NamedModel
from .mixed_matmul import Tensor

_CLOSED: Final = -1e9  # a gate's input for which the sigmoid is exactly 0


class LstmNetwork(NamedModel):
    """Maps symbols to logits of the next symbol, and a recurrent state to the next state.

    Called with inputs (B, T) and the state (h, c), each (B, H), it returns logits (T, B, size) and the new state. Time
    is the first axis of the logits because steps are computed one by one. `dropout_mask`, (T, H, B) or None, multiplies
    the outputs of the LSTM.
    """

    def zero_state(self, rows: int) -> tuple[Tensor, ...]:
        """Return the state before any post: h and c, each (B, H)."""
        return tf.zeros((rows, self.config.units)), tf.zeros((rows, self.config.units))

    def dropout_mask_shape(self, rows: int, steps: int) -> tuple[int, ...]:
        """Return the shape of `dropout_mask` for inputs (rows, steps)."""
        return steps, self.config.units, rows

    def call(
        self, inputs: Tensor, state: tuple[Tensor, ...], dropout_mask: Tensor = None, products: str | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return logits (T, B, size) and the new state. `products` overrides the model's dtype of matrix products."""
        weights, vocabulary = self.tensors(), vocabulary_of(self.config)
        kind = tf.as_dtype(products or self.products)
        symbols = tf.transpose(tf.cast(inputs, tf.int32))  # (T, B)
        h, c = state
        logits, h, c = lstm(kind, symbols, weights, h, c, dropout_mask, end=vocabulary.end, gates=self.config.gates)
        logits += weights["output_bias"]
        return tf.reshape(logits, (inputs.shape[1], -1, vocabulary.size)), (h, c)


def lstm(
    kind: Any,
    symbols: Tensor,
    weights: Mapping[str, Tensor],
    h_first: Tensor,
    c_first: Tensor,
    dropout_mask: Tensor = None,
    *,
    end: int,
    gates: str = "sigmoid",
) -> tuple[Tensor, Tensor, Tensor]:
    """Return outputs @ output_kernel, (T * B, size), and the last h and c, each (B, H).

    Takes the dtype `kind` of products, symbols (T, B), the weights by name (lstm.weight_shapes), the initial h and c,
    each (B, H), and the dropout mask of the outputs, (T, H, B) or None. Resets the state to zero before each step whose
    symbol is `end`. T must be known when the graph is built. `gates` is the activation of the gates.
    """
    steps, units = symbols.shape[0], weights["recurrent"].shape[0]
    size, embedded = weights["embedding"].shape
    down, read = _joined(kind, weights, end)
    rows, recurrent, kernel = down.shape[0], down[:units], down[units : units + embedded]
    # Transposed via three dimensions: TensorFlow would fold a plain transposition into each step's product.
    across = tf.reshape(tf.transpose(tf.reshape(down, (rows, 4, units)), (1, 2, 0)), (4 * units, rows))
    output_weights = tf.cast(weights["output_kernel"], kind)
    masks = None if dropout_mask is None else tf.unstack(dropout_mask, axis=0)

    is_hard = gates == "hard_sigmoid"
    gate = hard_sigmoid if is_hard else tf.sigmoid
    gate_gradient = hard_sigmoid_gradient if is_hard else sigmoid_gradient

    def dropped_out(step: int, h: Tensor) -> Tensor:
        return h if masks is None else h * masks[step]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(*trained_and_state: Tensor) -> Any:
        h, c = (tf.transpose(part) for part in trained_and_state[-2:])
        keeps = tf.unstack(tf.cast(tf.not_equal(symbols, end), tf.float32)[:, None, :], axis=0)  # T x (1, B)
        given = tf.unstack(tf.transpose(tf.gather(read, symbols), (0, 2, 1)), axis=0)  # T x (rows - H, B)
        outputs, trail = [], []
        for step in range(steps):
            entered, c_before = tf.concat([tf.cast(h * keeps[step], kind), given[step]], axis=0), c
            z = tf.cast(tf.matmul(across, entered), tf.float32)  # (4H, B)
            zif, zg, zo = tf.split(z, [2 * units, units, units], axis=0)
            i, f = tf.split(gate(zif), 2, axis=0)
            g, o = tf.tanh(zg), gate(zo)
            c = f * c + i * g
            squashed = tf.tanh(c)
            h = o * squashed
            outputs.append(tf.cast(dropped_out(step, h), kind))
            trail.append((entered, c_before, i, f, g, o, squashed))

        def gradient(d_logits: Tensor, d_h: Tensor, d_c: Tensor) -> Any:
            d_logits = tf.cast(d_logits, kind)
            d_each = tf.split(d_logits, steps, axis=0)
            d_h, d_c = tf.transpose(d_h), tf.transpose(d_c)
            d_gates: list[Tensor] = [None] * steps
            for step in reversed(range(steps)):
                _, c_before, i, f, g, o, squashed = trail[step]
                d_output = tf.matmul(output_weights, d_each[step], transpose_b=True)  # (H, B)
                d_h = d_h + dropped_out(step, tf.cast(d_output, tf.float32))
                d_c = d_c + tanh_gradient(squashed, d_h * o)
                d_z = (
                    gate_gradient(i, d_c * g),
                    gate_gradient(f, d_c * c_before),
                    tanh_gradient(g, d_c * i),
                    gate_gradient(o, d_h * squashed),
                )
                d_gates[step] = tf.concat([tf.cast(gate, kind) for gate in d_z], axis=0)  # (4H, B)
                d_c = d_c * f
                d_h = tf.cast(tf.matmul(recurrent, d_gates[step]), tf.float32) * keeps[step]
            d_all = tf.concat(d_gates, axis=1)  # (4H, T*B)
            entered_all = tf.concat([entry[0] for entry in trail], axis=1)  # (rows, T*B)
            d_down = tf.cast(tf.matmul(entered_all, d_all, transpose_b=True), tf.float32)  # (rows, 4H)
            d_recurrent, d_kernel, d_bias, _ = tf.split(d_down, [units, embedded, 1, -1], axis=0)
            d_given = tf.matmul(kernel, d_all)  # (E, T*B)
            # A product with one-hot rows is much faster on a CPU than adding the gradients row by row.
            one_hot = tf.one_hot(tf.reshape(symbols, (-1,)), size, axis=0, dtype=kind)  # (size, T*B)
            d_embedding = tf.cast(tf.matmul(one_hot, d_given, transpose_b=True), tf.float32)
            d_output_kernel = tf.cast(tf.matmul(all_outputs, d_logits), tf.float32)
            return d_embedding, d_kernel, d_recurrent, d_bias[0], d_output_kernel, tf.transpose(d_h), tf.transpose(d_c)

        all_outputs = tf.concat(outputs, axis=1)  # (H, T*B)
        logits = tf.cast(tf.matmul(all_outputs, output_weights, transpose_a=True), tf.float32)
        return (logits, tf.transpose(h), tf.transpose(c)), gradient

    trained = (weights[name] for name in ("embedding", "kernel", "recurrent", "bias", "output_kernel"))
    return run(*trained, h_first, c_first)  # type: ignore[no-any-return]


def _joined(kind: Any, weights: Mapping[str, Tensor], end: int) -> tuple[Tensor, Tensor]:
    """Return the stacked weights, (rows, 4H), and each symbol's input to the rows below the first H, (size, rows - H).

    A symbol's input is its embedding for the kernel, 1 for the bias, and 1 for `end` to close the forget gate. Zeros
    pad the rows to a multiple of 16: oneDNN takes a fifth longer otherwise.
    """
    units, (size, embedded) = weights["recurrent"].shape[0], weights["embedding"].shape
    padding = -(units + embedded + 2) % 16
    closed = tf.repeat(tf.constant([[0.0, _CLOSED, 0.0, 0.0]]), units, axis=1)
    below = weights["kernel"], weights["bias"][None], closed, tf.zeros((padding, 4 * units))
    beside = weights["embedding"], tf.ones((size, 1)), tf.one_hot([end], size, axis=0), tf.zeros((size, padding))
    down = tf.concat([weights["recurrent"], *below], axis=0)
    return tf.cast(down, kind), tf.cast(tf.concat(beside, axis=1), kind)
