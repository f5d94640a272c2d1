"""Writes with a Llama: one step for many texts at once, with a cache of their keys and values, in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models_app.ml.networks.processor import available

from . import onnx_graph
from .config import LlamaConfig
from .decoder_state import DecoderState
from .onnx_graph import adapter_inputs, graph_of, past_name, present_name

#: A cache grows by this many places.
PLACES: Final = 64
#: The most threads for a step.
MAX_THREADS: Final = 8

Adapter = dict[str, NDArray[np.float32]]


class _Cache:
    """Keys and values of each layer, (2 * layers, slots, kv_heads, places, D). A session writes into it."""

    def __init__(self, parts: NDArray[np.float32]) -> None:
        self.parts = parts
        #: The binding of this memory and an adapter to a session, and that adapter.
        self.bound: tuple[Any, Adapter] | None = None

    @property
    def slots(self) -> int:
        return int(self.parts.shape[1])

    @property
    def places(self) -> int:
        return int(self.parts.shape[3])

    @property
    def nbytes(self) -> int:
        return self.parts.nbytes

    def grow(self, places: int) -> None:
        """Make room for at least this many places."""
        more = -(-(places - self.places) // PLACES) * PLACES
        if more > 0:
            self.parts = np.pad(self.parts, [(0, 0), (0, 0), (0, 0), (0, more), (0, 0)])
            self.bound = None

    def copied(self, slots: NDArray[np.intp]) -> _Cache:
        """Return a new cache with copies of these slots."""
        # Unlike indexing, it keeps the order in memory.
        return _Cache(np.take(self.parts, slots, axis=1))


State = DecoderState[_Cache]


class LlamaDecoder:
    """The session that steps texts of any bot with this architecture and these frozen weights."""

    #: In the cache, each text of SmolLM2-135M takes 3 MB for every PLACES symbols.
    rows_at_once: Final = 32

    def __init__(
        self,
        config: LlamaConfig,
        frozen: Mapping[str, NDArray[Any]],
        *,
        exact: bool = False,
        int8: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """`frozen`: arrays in any floating-point type. With `exact`, products are in float32 instead of int8.

        `int8`: as in `graph_of`.
        """
        self.config = config
        self._embedding, self._rotary = frozen["embedding"], frozen["rotary"]
        graph = graph_of(config, frozen, exact=exact, int8=int8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = min(MAX_THREADS, available())
        options.inter_op_num_threads = 1
        # Threads that wait must not take the cores from a training, or from another writer.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # The session uses their memory.
        self._weights = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in graph.weights.items()}
        options.add_external_initializers(list(self._weights), list(self._weights.values()))
        self._session = onnxruntime.InferenceSession(
            graph.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def adapter(self, weights: Mapping[str, Any]) -> Adapter:
        """Return an adapter's weights as the graph takes them."""
        return adapter_inputs(self.config, weights)

    def bytes_of(self, adapter: Adapter) -> int:
        """Return the bytes of an adapter."""
        return sum(array.nbytes for array in adapter.values())

    def start(self, rows: int) -> State:
        """Return the state of this many texts that have read nothing yet."""
        config = self.config
        shape = (2 * config.layers, rows, config.kv_heads, PLACES, config.head_size)
        return DecoderState(_Cache(np.zeros(shape, np.float32)), np.arange(rows), np.zeros(rows, np.int32))

    def read(self, symbols: NDArray[Any], state: State, adapter: Adapter) -> tuple[NDArray[np.float32], State]:
        """Return the logits (B, V) of the symbol after the last of `symbols` (B, T), and the new state."""
        cache, length = state.cache, symbols.shape[1]
        if length > 1 and cache.slots > 1 and state.lengths.any():
            # The attention goes on from several texts only one symbol at a time.
            for column in symbols.T:
                logits, state = self.read(column[:, None], state, adapter)
            return logits, state
        lengths = state.lengths + np.int32(length)
        cache.grow(int(lengths.max()))
        placed, ends = np.zeros((cache.slots, length), np.int64), np.full(cache.slots, length - 1, np.int32)
        placed[state.slots], ends[state.slots] = symbols, lengths - 1
        binding = self._bound(cache, adapter)
        embedded = self._embedding[placed].astype(np.float32) * np.float32(self.config.embedding_multiplier)
        binding.bind_cpu_input(onnx_graph.X, embedded)
        binding.bind_cpu_input(onnx_graph.ENDS, ends)
        binding.bind_cpu_input(onnx_graph.LONGEST, np.array([lengths.max()], np.int32))
        binding.bind_cpu_input(onnx_graph.WANTED, state.slots.astype(np.int64))
        binding.bind_output(onnx_graph.LOGITS)
        self._session.run_with_iobinding(binding)
        logits = binding.get_outputs()[-1].numpy()
        return logits, DecoderState(cache, state.slots, lengths)

    def _bound(self, cache: _Cache, adapter: Adapter) -> Any:
        """Return the binding of this cache and this adapter to the session's inputs and outputs."""
        if cache.bound is None or cache.bound[1] is not adapter:
            binding = self._session.io_binding()
            for layer in range(self.config.layers):
                for number, part in enumerate(("key", "value")):
                    array = cache.parts[2 * layer + number]
                    where = ("cpu", 0, np.float32, array.shape, array.ctypes.data)
                    binding.bind_input(past_name(layer, part), *where)
                    binding.bind_output(present_name(layer, part), *where)
            for name, array in adapter.items():
                binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
            angles = np.arange(cache.places, dtype=np.float32)[:, None] * self._rotary
            binding.bind_cpu_input(onnx_graph.COSINES, np.cos(angles))
            binding.bind_cpu_input(onnx_graph.SINES, np.sin(angles))
            cache.bound = binding, adapter
        return cache.bound[0]
