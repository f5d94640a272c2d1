"""Writes with a Llama on a GPU: one step for many texts at once, in TensorFlow. On a processor, ONNX Runtime is faster.

A cache has one slot a text (decoder_state.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from .config import LlamaConfig
from .decoder_state import DecoderState
from .layer import Weights
from .network import HIDDEN, LlamaNetwork
from .ops import attention, by_head, by_place, rms_norm, rotated, swiglu
from .weights import adapter_shapes

Tensor = Any
#: A cache grows by this many places.
PLACES: Final = 128


class _Cache:
    """Keys and values of each layer, (slots, kv_heads, places, D) each, in variables that change their shape."""

    def __init__(self, parts: list[Tensor]) -> None:
        shape = tf.TensorShape((None, parts[0].shape[1], None, parts[0].shape[3]))
        self.parts = [tf.Variable(part, shape=shape) for part in parts]
        self.slots, self.places = int(parts[0].shape[0]), int(parts[0].shape[2])

    @property
    def nbytes(self) -> int:
        return sum(_bytes_of(part) for part in self.parts)

    def grow(self, places: int) -> None:
        """Make room for at least this many places."""
        more = -(-(places - self.places) // PLACES) * PLACES
        if more > 0:
            for part in self.parts:
                part.assign(tf.pad(part, [(0, 0), (0, 0), (0, more), (0, 0)]))
            self.places += more

    def copied(self, slots: NDArray[np.intp]) -> _Cache:
        """Return a new cache with copies of these slots."""
        return _Cache([tf.gather(part, slots) for part in self.parts])


State = DecoderState[_Cache]


class TfDecoder:
    """The graph that steps texts of any bot with this architecture and these frozen weights, built once."""

    rows_at_once: Final = 100

    def __init__(self, config: LlamaConfig, frozen: Mapping[str, Tensor]) -> None:
        self.config = config
        self.products = frozen["embedding"].dtype
        self._frozen = frozen
        # One graph for every number of texts, symbols and places, every cache and every adapter.
        number, numbers = tf.TensorSpec((), tf.int32), tf.TensorSpec((None,), tf.int32)
        adapter = {name: tf.TensorSpec(shape, self.products) for name, shape in adapter_shapes(config).items()}
        run = tf.function(self._forward, autograph=False)
        self._run = run.get_concrete_function(
            tf.TensorSpec((None, None), tf.int32), numbers, number, numbers, self.start(1).cache.parts, adapter
        )

    def adapter(self, weights: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return an adapter's weights as the graph takes them."""
        return {
            name: tf.cast(tf.convert_to_tensor(weights[name]), self.products) for name in adapter_shapes(self.config)
        }

    def bytes_of(self, adapter: dict[str, Tensor]) -> int:
        """Return the bytes of an adapter."""
        return sum(_bytes_of(part) for part in adapter.values())

    def start(self, rows: int) -> State:
        """Return the state of this many texts that have read nothing yet."""
        config = self.config
        empty = tf.zeros((rows, config.kv_heads, PLACES, config.head_size), self.products)
        return DecoderState(_Cache([empty] * (2 * config.layers)), np.arange(rows), np.zeros(rows, np.int32))

    def read(
        self, symbols: NDArray[Any], state: State, adapter: dict[str, Tensor]
    ) -> tuple[NDArray[np.float32], State]:
        """Return the logits (B, V) of the symbol after the last of `symbols` (B, T), and the new state."""
        cache, length = state.cache, symbols.shape[1]
        lengths = state.lengths + np.int32(length)
        cache.grow(int(lengths.max()))
        placed, begun = np.zeros((cache.slots, length), np.int32), np.zeros(cache.slots, np.int32)
        placed[state.slots], begun[state.slots] = symbols, state.lengths
        seen, slots = tf.constant(int(lengths.max())), tf.constant(state.slots, tf.int32)
        logits = self._run(tf.constant(placed), tf.constant(begun), seen, slots, cache.parts, adapter)
        return logits.numpy(), DecoderState(cache, state.slots, lengths)

    def _forward(
        self, symbols: Tensor, begun: Tensor, seen: Tensor, wanted: Tensor, cache: list[Any], adapter: dict[str, Tensor]
    ) -> Tensor:
        """Return the logits after the last of symbols (S, T) for the wanted slots, and add the symbols to the cache.

        begun (S,): the number of symbols already read; seen: the number of places that any text uses afterwards.
        """
        config = self.config
        network = LlamaNetwork(config, self._frozen, adapter)
        slots, length = tf.shape(symbols)[0], tf.shape(symbols)[1]
        positions = begun[:, None] + tf.range(length)  # (S, T)
        turn = network.angles(tf.reshape(positions, (-1,)))
        mask = tf.where(tf.range(seen)[None, None] <= positions[:, :, None], 0.0, HIDDEN)  # (S, T, seen)
        shape = [slots, config.kv_heads, length]
        places = tf.stack(
            [
                tf.broadcast_to(tf.range(slots)[:, None, None], shape),
                tf.broadcast_to(tf.range(config.kv_heads)[None, :, None], shape),
                tf.broadcast_to(positions[:, None], shape),
            ],
            axis=-1,
        )
        x = tf.cast(tf.gather(network.frozen["embedding"], tf.reshape(symbols, (-1,))), tf.float32)
        for layer in range(config.layers):
            weights = network.layer(layer)
            query, key, value = self._attended(weights, x, turn)
            query, key, value = (by_head(each, slots, length, config.kv_heads) for each in (query, key, value))
            keys, values = (
                part.scatter_nd_update(places, tf.cast(new[:, :, 0], network.products))[:, :, :seen]
                for part, new in zip(cache[2 * layer : 2 * layer + 2], (key, value), strict=True)
            )
            mixed = attention(query, keys, values, mask, network.products)
            heads = config.heads * config.head_size
            x = self._finished(weights, x, tf.reshape(by_place(mixed), (-1, heads)))
        last = tf.gather(tf.reshape(x, [slots, length, config.width])[:, -1], wanted)
        hidden = tf.cast(network.normed(last), network.head.dtype)
        return tf.cast(tf.matmul(hidden, network.head, transpose_b=True), tf.float32)

    def _attended(self, weights: Weights, x: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return a layer's turned queries (N, heads, D) and keys (N, kv_heads, D), and values (N, kv_heads, D)."""
        config = self.config
        normed = rms_norm(x, weights["attend_norm"], config.norm_epsilon)
        sizes = [config.heads, config.kv_heads, config.kv_heads]
        joined = tf.reshape(self._mapped(weights, "attend", normed), (-1, sum(sizes), config.head_size))
        query, key, value = tf.split(joined, sizes, axis=1)
        return rotated(query, *turn), rotated(key, *turn), value

    def _finished(self, weights: Weights, x: Tensor, mixed: Tensor) -> Tensor:
        """Return the residual stream (N, W) after a layer, given its attention's result (N, heads * D)."""
        x = x + self._mapped(weights, "attend_out", mixed)
        normed = rms_norm(x, weights["expand_norm"], self.config.norm_epsilon)
        return x + self._mapped(weights, "contract", swiglu(self._mapped(weights, "expand", normed)))

    def _mapped(self, weights: Weights, name: str, x: Tensor) -> Tensor:
        """Return a layer's map of x (N, inputs): (N, outputs), with the adapter if there is one."""
        small = tf.cast(x, self.products)
        result = tf.matmul(small, weights[name])
        if self.config.rank:
            a, b = weights[f"{name}.a"], tf.cast(self.config.scale * weights[f"{name}.b"], self.products)
            result += tf.matmul(tf.matmul(small, a), b)
        return tf.cast(result, tf.float32)


def _bytes_of(tensor: Tensor) -> int:
    return int(tf.size(tensor)) * int(tensor.dtype.size)
