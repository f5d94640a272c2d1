"""Models for llama.cpp: an adapter as GGUF LoRA, and a pretrained model with an adapter merged into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import ml_dtypes
import numpy as np
from safetensors import safe_open

from models_app.ml.networks.llama import store
from models_app.ml.networks.llama.config import GRANITE, GRANITE_4, LlamaConfig
from models_app.ml.networks.llama.weights import frozen_shapes
from models_app.ml.vocabulary.bpe import BpeVocabulary

from .lora import Adapted, Array, adapted, llama_cpp_maps, side_by_side

#: The longest text that a merged model is said to read. Posts are shorter.
CONTEXT: Final = 2048
#: The number of GGUF for files whose matrices are float16.
_MOSTLY_FLOAT16: Final = 1
#: How many rows are converted at once.
_ROWS: Final = 1024
#: Angles are stored in float32.
_TOLERANCE: Final = 1e-4


def write_lora(config: LlamaConfig, weights: Mapping[str, Array], notes: Mapping[str, str], out: IO[bytes]) -> None:
    """Write the adapter to `out`; `notes` become the file's metadata."""
    writer = _writer(config, notes)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", config.scale * config.rank)
    tensors: dict[str, Array] = {}
    for each in adapted(config, weights, llama_cpp_maps(config)):
        name = f"blk.{each.layer}.{each.map.name}.weight"
        tensors[f"{name}.lora_a"] = each.a
        tensors[f"{name}.lora_b"] = side_by_side(each.b, config.head_size) if each.map.turns else each.b
    _write(
        writer, {name: (array.shape, array.dtype.type, partial(_same, array)) for name, array in tensors.items()}, out
    )


def _same(array: Array) -> Array:
    return array


def write_merged(
    config: LlamaConfig, weights: Mapping[str, Array], folder: Path, notes: Mapping[str, str], out: IO[bytes]
) -> None:
    """Write the pretrained model in `folder` (llama.store) with the adapter added, in float16.

    Reads and writes one matrix at a time. A text begins and ends with the end mark, as posts do. Raises CheckpointError
    for a tokenizer that llama.cpp doesn't know.
    """
    vocabulary = BpeVocabulary.from_json((folder / store.TOKENIZER).read_text(encoding="utf-8"))
    writer = _writer(config, notes)
    writer.add_file_type(_MOSTLY_FLOAT16)
    writer.add_vocab_size(config.symbols)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.hidden)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head_size)
    writer.add_value_length(config.head_size)
    writer.add_rope_dimension_count(config.head_size)
    writer.add_layer_norm_rms_eps(config.norm_epsilon)
    if config.architecture in (GRANITE, GRANITE_4):
        writer.add_embedding_scale(config.embedding_multiplier)
        writer.add_attention_scale(config.attention_scale)
        writer.add_residual_scale(config.residual_multiplier)
        writer.add_logit_scale(config.logits_scaling)
    if config.architecture == GRANITE_4:
        # Tells it from Granite 3, as in its publisher's files.
        writer.add_expert_shared_feed_forward_length(config.hidden)
    for name, value in vocabulary.to_gguf().items():
        if isinstance(value, list):
            writer.add_array(name, value)
        else:
            writer.add_key_value(name, value, _kind_of(value))
    with safe_open(folder / store.WEIGHTS, framework="numpy") as frozen:
        base, stretch = _rotary(frozen.get_tensor("rotary"), config.head_size)
        writer.add_rope_freq_base(base)
        _write(writer, dict(_merged(config, weights, frozen, stretch)), out)


#: A tensor to be written: its shape, its type, and what returns it.
_Tensor = tuple[tuple[int, ...], type[np.generic], Callable[[], Array]]


def _merged(
    config: LlamaConfig, weights: Mapping[str, Array], frozen: Any, stretch: Array | None
) -> Iterator[tuple[str, _Tensor]]:
    """Yield the tensors of the merged model by llama.cpp's names."""
    shapes = frozen_shapes(config)

    def plain(name: str, kind: type[np.generic]) -> _Tensor:
        return shapes[name], kind, lambda: _as(kind, frozen.get_tensor(name))

    yield "token_embd.weight", plain("embedding", np.float16)
    yield "output_norm.weight", plain("norm", np.float32)
    if not config.tied:
        yield "output.weight", plain("head", np.float16)
    if stretch is not None:
        yield "rope_freqs.weight", (stretch.shape, np.float32, lambda: stretch)
    for layer in range(config.layers):
        yield f"blk.{layer}.attn_norm.weight", plain(f"{layer}.attend_norm", np.float32)
        yield f"blk.{layer}.ffn_norm.weight", plain(f"{layer}.expand_norm", np.float32)
        if config.qk_norm:
            yield f"blk.{layer}.attn_q_norm.weight", plain(f"{layer}.query_norm", np.float32)
            yield f"blk.{layer}.attn_k_norm.weight", plain(f"{layer}.key_norm", np.float32)
    for each in adapted(config, weights, llama_cpp_maps(config)):
        whole = shapes[f"{each.layer}.{each.map.ours}"]

        def matrix(each: Adapted = each) -> Array:
            own = _numbers(frozen.get_slice(f"{each.layer}.{each.map.ours}")[:, each.map.columns])
            own += np.float32(config.scale) * (each.a.T.astype(np.float32) @ each.b.T.astype(np.float32))
            rows = own.astype(np.float16).T
            return side_by_side(rows, config.head_size) if each.map.turns else rows

        outputs = len(range(*each.map.columns.indices(whole[1])))
        yield f"blk.{each.layer}.{each.map.name}.weight", ((outputs, whole[0]), np.float16, matrix)


def _numbers(array: Array) -> Array:
    """Return the array in float32. A conversion by NumPy itself is faster, and other threads run meanwhile."""
    if array.dtype != ml_dtypes.bfloat16:
        return array.astype(np.float32)
    return np.asarray((array.view(np.uint16).astype(np.uint32) << 16).view(np.float32))


def _as(kind: type[np.generic], array: Array) -> Array:
    """Return the array in this type, converted in small parts."""
    made = np.empty(array.shape, kind)
    for begin in range(0, len(array), _ROWS):
        made[begin : begin + _ROWS] = _numbers(array[begin : begin + _ROWS])
    return made


def _rotary(angles: Array, head_size: int) -> tuple[float, Array | None]:
    """Return the base of the rotary positions, and by how much each angle is divided, None if by nothing."""
    if len(angles) < 2:
        return 10_000.0, None
    base = float(angles[1]) ** (-head_size / 2)
    stretch = base ** (-np.arange(0, head_size, 2) / head_size) / angles.astype(np.float64)
    return base, None if np.allclose(stretch, 1, rtol=_TOLERANCE) else stretch.astype(np.float32)


def _writer(config: LlamaConfig, notes: Mapping[str, str]) -> Any:
    # Imported late: only who downloads this format needs it.
    from gguf import GGUFWriter

    writer = GGUFWriter(None, GRANITE if config.architecture == GRANITE_4 else config.architecture)
    for name, value in notes.items():
        writer.add_string(name, value)
    return writer


def _kind_of(value: Any) -> Any:
    from gguf import GGUFValueType

    kinds = {bool: GGUFValueType.BOOL, int: GGUFValueType.UINT32, str: GGUFValueType.STRING}
    return kinds[type(value)]


def _write(writer: Any, tensors: Mapping[str, _Tensor], out: IO[bytes]) -> None:
    """Write the header, then one tensor after the other."""
    from gguf.gguf_writer import WriterState

    for name, (shape, kind, _) in tensors.items():
        dtype = np.dtype(kind)
        writer.add_tensor_info(name, shape, dtype, int(np.prod(shape)) * dtype.itemsize)
    # The library opens paths only; this is what it does with one.
    writer.fout, writer.state = [out], WriterState.EMPTY
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, kind, made in tensors.values():
        writer.write_tensor_data(np.ascontiguousarray(made(), kind))
    writer.flush()
