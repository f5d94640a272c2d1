"""Reads a pretrained Llama, Qwen3 or dense Granite from a GGUF file (llama.cpp's format), whatever its quantization."""

from __future__ import annotations

import hashlib
import sys
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.errors import CheckpointError, mark
from models_app.ml.vocabulary.bpe import BpeVocabulary

from .config import GRANITE, GRANITE_4, LLAMA, QWEN3, LlamaConfig
from .pretrained import Layer, Pretrained, PretrainedError, checked, end_mark, known_architecture
from .weights import rotary_angles

#: Far more bytes than any vocabulary takes, and far more fields or tensors than any Llama has.
_MAX_TEXT: Final = 1 << 24
_MAX_ENTRIES: Final = 10_000
#: Our names of Granite's constants, and those of llama.cpp behind the architecture.
_CONSTANTS: Final = {
    "embedding_multiplier": "embedding_scale",
    "attention_multiplier": "attention.scale",
    "residual_multiplier": "residual_scale",
    "logits_scaling": "logit_scale",
}


def read_gguf(path: Path) -> Pretrained:
    """Return the model in the file.

    Raises PretrainedError if it isn't a complete one of a known architecture with a byte-level BPE.
    """
    what = path.name
    try:
        reader = _reader(path)
        facts = {name: field.contents() for name, field in reader.fields.items()}
    except (ValueError, OSError, LookupError, TypeError, ArithmeticError) as error:
        raise PretrainedError(
            mark("%(model)s isn’t a readable GGUF file (%(reason)s). Download it again."), model=what, reason=error
        ) from error
    architecture = known_architecture(facts.get("general.architecture"), what, (LLAMA, QWEN3, GRANITE))
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    # Without the prefix, which is the architecture.
    own = {name.removeprefix(f"{architecture}."): value for name, value in facts.items()}
    if (
        "rope_freqs.weight" in tensors
        or own.get("rope.scaling.type", "none") != "none"
        or (architecture == GRANITE and not own.get("rope.scaling.finetuned", True))
    ):
        raise PretrainedError(
            mark("%(model)s has stretched positions or none. Add the Hugging Face directory of this model instead."),
            model=what,
        )
    try:
        vocabulary = BpeVocabulary.from_gguf(facts, end=end_mark(facts["tokenizer.ggml.tokens"], what))
        config = _config(path, architecture, own, vocabulary, tensors)
        weights = _weights(config, tensors, float(own["rope.freq_base"]))
    except KeyError as error:
        raise PretrainedError(
            mark("%(model)s lacks %(reason)s. Download it again, or choose a complete model."), model=what, reason=error
        ) from error
    # The library raises NotImplementedError for tensors of a type that it can't convert, such as float64.
    except (ValueError, TypeError, ArithmeticError, NotImplementedError, CheckpointError) as error:
        raise PretrainedError(mark("%(model)s can’t be used: %(reason)s"), model=what, reason=error) from error
    return checked(
        Pretrained(config, weights, vocabulary, str(facts.get("general.name", path.stem)), _licence(facts)), what
    )


def _reader(path: Path) -> Any:
    """Return gguf's reader of this file. Raises ValueError where the library would read too much, or for ever."""
    # Imported late: only who adds or first uses a base needs it.
    from gguf import GGUFReader, GGUFValueType

    class Reader(GGUFReader):
        def _get(self, offset: int, dtype: Any, count: int = 1, override_order: Any = None) -> NDArray[Any]:
            if int(offset) + np.dtype(dtype).itemsize * int(count) > len(self.data):
                raise ValueError("it ends too early")
            return super()._get(offset, dtype, count, override_order)

        def _get_str(self, offset: int) -> Any:
            if self._get(offset, np.uint64)[0] > _MAX_TEXT:
                raise ValueError("it has more text than a vocabulary takes")
            return super()._get_str(offset)

        def _get_field_parts(self, orig_offs: int, raw_type: int) -> Any:
            if raw_type != GGUFValueType.ARRAY:
                return super()._get_field_parts(orig_offs, raw_type)
            kind, count = GGUFValueType(self._get(orig_offs, np.uint32)[0]), int(self._get(orig_offs + 4, np.uint64)[0])
            begin = orig_offs + 12
            if kind == GGUFValueType.STRING:
                texts, end = self._texts(begin, count)
                # `contents` returns such an array as a list.
                return end - orig_offs, [np.array(texts, object)], [0], [GGUFValueType.ARRAY]
            if kind == GGUFValueType.ARRAY:
                raise ValueError("it has an array of arrays")
            # Nobody needs the numbers, so they're only passed over.
            size = self._get(begin, self.gguf_scalar_to_np[kind], count).nbytes
            return begin + size - orig_offs, [], [], [GGUFValueType.ARRAY]

        def _texts(self, begin: int, count: int) -> tuple[list[str], int]:
            """Return as many texts and where they end. The library makes two arrays of each, 1.4 KB."""
            data = self.data[begin : begin + _MAX_TEXT].tobytes()
            # "I" is this machine's byte order.
            order: Any = "little" if (self.byte_order == "I") == (sys.byteorder == "little") else "big"
            texts, place = list[str](), 0
            for _ in range(count):
                start = place + 8
                place = start + int.from_bytes(data[place:start], order)
                if place > len(data):
                    is_cut = begin + place > len(self.data)
                    raise ValueError("it ends too early" if is_cut else "it has more text than a vocabulary takes")
                texts.append(data[start:place].decode())
            return texts, begin + place

        def _build_fields(self, offs: int, count: int) -> int:
            if count > _MAX_ENTRIES:
                raise ValueError("it has too many fields")
            return int(super()._build_fields(offs, count))

        def _build_tensor_info(self, offs: int, count: int) -> Any:
            if count > _MAX_ENTRIES:
                raise ValueError("it has too many tensors")
            return super()._build_tensor_info(offs, count)

    with np.errstate(over="raise"):
        reader = Reader(path)
    # Else a small file could become a large model.
    if sum(tensor.data.nbytes for tensor in reader.tensors) > len(reader.data):
        raise ValueError("its tensors share their bytes")
    return reader


def _config(
    path: Path, kind: str, own: dict[str, Any], vocabulary: BpeVocabulary, tensors: dict[str, Any]
) -> LlamaConfig:
    heads = own["attention.head_count"]
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = own.get("attention.key_length") or own.get("rope.dimension_count") or own["embedding_length"] // heads
    # Granite 4.0 is llama.cpp's Granite, too, but its files have this fact.
    is_granite_4 = kind == GRANITE and "expert_shared_feed_forward_length" in own
    constants: dict[str, Any] = {}
    if kind == GRANITE:
        constants = {ours: float(own[theirs]) for ours, theirs in _CONSTANTS.items() if theirs in own}
    return LlamaConfig(
        pretrained=digest,
        vocabulary=vocabulary.name,
        symbols=vocabulary.size,
        end=vocabulary.end,
        layers=own["block_count"],
        width=own["embedding_length"],
        heads=heads,
        # Files of Granite 4.0 name it for each layer.
        kv_heads=int(tensors["blk.0.attn_k.weight"].shape[1]) // size,
        head_size=size,
        hidden=own["feed_forward_length"],
        norm_epsilon=own["attention.layer_norm_rms_epsilon"],
        tied="output.weight" not in tensors,
        architecture=GRANITE_4 if is_granite_4 else kind,
        qk_norm=kind == QWEN3,
        **constants,
    )


def _weights(config: LlamaConfig, tensors: dict[str, Any], rope_base: float) -> dict[str, NDArray[Any]]:
    from gguf.quants import dequantize

    def read(name: str) -> NDArray[Any]:
        tensor = tensors[f"{name}.weight"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # damaged scales; `checked` finds them
            return np.asarray(dequantize(tensor.data, tensor.tensor_type), np.float32)

    def turned(name: str) -> NDArray[Any]:
        matrix = read(name)
        return matrix if config.architecture == QWEN3 else _in_halves(matrix, config.head_size)

    weights = {
        "embedding": read("token_embd"),
        "norm": read("output_norm"),
        "rotary": rotary_angles(config.head_size, rope_base),
    }
    if not config.tied:
        weights["head"] = read("output")
    for number in range(config.layers):
        block = f"blk.{number}"
        layer = Layer(
            attend_norm=read(f"{block}.attn_norm"),
            query=turned(f"{block}.attn_q"),
            key=turned(f"{block}.attn_k"),
            value=read(f"{block}.attn_v"),
            attend_out=read(f"{block}.attn_output"),
            expand_norm=read(f"{block}.ffn_norm"),
            gate=read(f"{block}.ffn_gate"),
            up=read(f"{block}.ffn_up"),
            contract=read(f"{block}.ffn_down"),
            query_norm=read(f"{block}.attn_q_norm") if config.qk_norm else None,
            key_norm=read(f"{block}.attn_k_norm") if config.qk_norm else None,
        )
        weights |= layer.named(number)
    return weights


def _in_halves(matrix: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the rows of each head with its pairs as halves.

    llama.cpp keeps the two numbers of a pair side by side, except for Qwen3.
    """
    outputs, inputs = matrix.shape
    return matrix.reshape(outputs // size, size // 2, 2, inputs).transpose(0, 2, 1, 3).reshape(outputs, inputs)


def _licence(facts: dict[str, Any]) -> str:
    return str(facts.get("general.license.name") or facts.get("general.license") or "")
