"""The "glr" network as a Keras model: gated linear recurrences with one matrix product for all steps of a window.

The rest of the recurrence is element-wise and unrolled. Backward passes are written by hand: a step spends half of its
time on passes over memory, and automatic differentiation needs many more of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models_app.ml.vocabulary import vocabulary_of

from .fused_ops import output_loss, sigmoid_gradient
from .gated_linear_rnn import EPSILON, embedding_factor
from .hashed_ngrams import Contexts, rows_of, table_name
from .keras_network import NamedModel
from .mixed_matmul import Tensor, affine_parts, product


class GlrNetwork(NamedModel):
    """Maps symbols to logits of the next symbol, and a recurrent state to the next state.

    Called with inputs (B, T) and the state (c of each layer (B, H), then the context keys (B, contexts)), it returns
    logits (T, B, size) and the new state. `dropout_mask`, (layers, T, B, H) or None, multiplies the layers' outputs
    before their projection.
    """

    @property
    def _contexts(self) -> Contexts:
        return Contexts.of(self.config.contexts, vocabulary_of(self.config))

    def zero_state(self, rows: int) -> tuple[Tensor, ...]:
        """Return the state before any post."""
        config = self.config
        keys = tf.repeat(tf.constant(self._contexts.start)[None], rows, axis=0)
        return (*(tf.zeros((rows, config.units)) for _ in range(config.layers)), keys)

    def dropout_mask_shape(self, rows: int, steps: int) -> tuple[int, ...]:
        """Return the shape of `dropout_mask` for inputs (rows, steps)."""
        return self.config.layers, steps, rows, self.config.units

    def call(
        self, inputs: Tensor, state: tuple[Tensor, ...], dropout_mask: Tensor = None, products: str | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return logits (T, B, size) and the new state. `products` overrides the model's dtype of matrix products."""
        read, after = self.read(inputs, state, dropout_mask, products)
        logits = self._logits(read, products)
        return tf.reshape(logits, (inputs.shape[1], -1, logits.shape[1])), after

    def loss_of(self, read: Tensor, labels: Tensor, weights: Tensor, products: str | None) -> Tensor:
        """Return the summed cross-entropy. The logits of tokens, which are many, are never in memory together."""
        if not self.config.tied:
            return super().loss_of(self._logits(read, products), labels, weights, products)
        tensors, dtype = self.tensors(), tf.as_dtype(products or self.products)
        return output_loss(dtype, read, tensors["embedding"], tensors["output_bias"], labels, weights)

    def _logits(self, read: Tensor, products: str | None) -> Tensor:
        weights = self.tensors()
        if self.config.tied:
            read = product(tf.as_dtype(products or self.products), read, tf.transpose(weights["embedding"]))
        return read + weights["output_bias"]

    def read(
        self, inputs: Tensor, state: tuple[Tensor, ...], dropout_mask: Tensor, products: str | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the product with the output kernel (T * B, its columns) and the new state."""
        dtype, weights = tf.as_dtype(products or self.products), self.tensors()
        config = self.config
        vocabulary = vocabulary_of(config)
        symbols = tf.transpose(tf.cast(inputs, tf.int32))  # (T, B)
        keeps = tf.unstack(tf.cast(tf.not_equal(symbols, vocabulary.end), tf.float32)[:, :, None], axis=0)  # T x (B, 1)
        embedded = tf.gather(weights["embedding"], symbols)
        parts = [embedded * embedding_factor(config) if config.tied else embedded]
        keys = state[-1]
        if config.contexts:
            places, keys = self._places(symbols, keys)  # (T, B, contexts)
            for place in range(len(config.contexts)):
                parts.append(tf.gather(weights[table_name(place)], places[:, :, place]))
        flat = tf.concat(parts, axis=-1)
        x = product(dtype, tf.reshape(flat, (-1, flat.shape[-1])), weights["input_kernel"])  # (T*B, H)
        new_state = []
        for layer in range(config.layers):
            # Folded: scaling the normalized row is the same as scaling the rows of the next kernel.
            kernel = weights[f"layer_{layer}_scale"][:, None] * weights[f"layer_{layer}_kernel"]
            candidate, forget, output = affine_parts(dtype, rms_norm(x), kernel, weights[f"layer_{layer}_bias"], 3)
            gated, last = memory(candidate, forget, output, keeps, state[layer])
            new_state.append(last)
            if dropout_mask is not None:
                gated = gated * tf.reshape(dropout_mask[layer], (-1, config.units))
            x = x + product(dtype, gated, weights[f"layer_{layer}_projection"])
        kernel = weights["output_scale"][:, None] * weights["output_kernel"]
        return product(dtype, rms_norm(x), kernel), (*new_state, keys)

    def _places(self, symbols: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Return the table rows (T, B, contexts) of the contexts after each of `symbols` (T, B), and the last keys.

        They involve no weights, so NumPy computes them; inside the graph they were half of its operations.
        """
        contexts, table_rows = self._contexts, self.config.context_rows

        def hashed(symbols: NDArray[np.int32], keys: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
            trail = np.empty((*symbols.shape, len(contexts.orders)), np.int64)
            for step, row in enumerate(symbols):
                keys = trail[step] = contexts.next(keys, row)
            return rows_of(trail, table_rows).astype(np.int32), keys

        places, last = tf.numpy_function(hashed, [symbols, keys], [tf.int32, tf.int64], stateful=False)
        places.set_shape((*symbols.shape, len(contexts.orders)))
        last.set_shape(keys.shape)
        return places, last


@tf.custom_gradient  # type: ignore[untyped-decorator]
def rms_norm(x: Tensor) -> Any:
    """Return x divided by its root mean square along the last axis (Zhang, Sennrich 2019, arXiv:1910.07467)."""
    factor = tf.math.rsqrt(tf.reduce_mean(x * x, axis=-1, keepdims=True) + EPSILON)
    normed = x * factor

    def gradient(upstream: Tensor) -> Tensor:
        return (upstream - normed * tf.reduce_mean(upstream * normed, axis=-1, keepdims=True)) * factor

    return normed, gradient


def memory(
    candidate: Tensor, forget: Tensor, output: Tensor, keeps: list[Tensor], first: Tensor
) -> tuple[Tensor, Tensor]:
    """Return a layer's gated output silu(c) * sigmoid(output), (T*B, H), and the last c (B, H).

    c_t = f_t * c_(t-1) + (1 - f_t) * candidate_t with f = sigmoid(forget); the initial c is `first`. `candidate`,
    `forget` and `output` are (T*B, H). Before step t, c is multiplied by keeps[t], (B, 1), which is 0 or 1.
    """
    steps = len(keeps)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(candidate: Tensor, forget: Tensor, output: Tensor, first: Tensor) -> Any:
        output_gate = tf.sigmoid(output)
        candidates, forgets = tf.split(candidate, steps, axis=0), tf.split(tf.sigmoid(forget), steps, axis=0)
        c, cells, differences = first, [], []  # differences: the previous c minus the candidate
        for step in range(steps):
            differences.append(c * keeps[step] - candidates[step])
            c = candidates[step] + forgets[step] * differences[step]
            cells.append(c)
        all_cells = tf.concat(cells, axis=0)
        sigmoid = tf.sigmoid(all_cells)
        silu = all_cells * sigmoid

        def gradient(upstream: Tensor, d_c: Tensor) -> Any:
            d_output = sigmoid_gradient(output_gate, upstream * silu)
            d_each = tf.split(upstream * output_gate * (sigmoid + silu - silu * sigmoid), steps, axis=0)
            d_candidate: list[Tensor] = [None] * steps
            d_forget: list[Tensor] = [None] * steps
            for step in reversed(range(steps)):
                d_c = d_c + d_each[step]
                d_forget[step] = sigmoid_gradient(forgets[step], d_c * differences[step])
                d_difference = d_c * forgets[step]
                d_candidate[step] = d_c - d_difference
                d_c = d_difference * keeps[step]
            return tf.concat(d_candidate, axis=0), tf.concat(d_forget, axis=0), d_output, d_c

        return (silu * output_gate, c), gradient

    return run(candidate, forget, output, first)  # type: ignore[no-any-return]
