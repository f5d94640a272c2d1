"""Reads a pretrained Llama, Qwen3 or dense Granite from a directory of the Hugging Face Hub.

It has config.json, safetensors and tokenizer.json.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from models_app.ml.errors import BadSetting, CheckpointError, mark
from models_app.ml.vocabulary.bpe import BpeVocabulary

from .config import ARCHITECTURES, GRANITE, GRANITE_4, QWEN3, LlamaConfig
from .pretrained import Layer, Pretrained, PretrainedError, checked, end_mark, known_architecture
from .weights import rotary_angles

CONFIG, TOKENIZER, INDEX, WEIGHTS = (
    "config.json",
    "tokenizer.json",
    "model.safetensors.index.json",
    "model.safetensors",
)


def read_directory(path: Path) -> Pretrained:
    """Return the model in the directory.

    Raises PretrainedError if it isn't a complete one of a known architecture with a byte-level BPE.
    """
    what = path.name
    facts = _json(path / CONFIG)
    shape = shape_of(facts, what)
    files = _files(path)
    try:
        vocabulary = _vocabulary(path / TOKENIZER, shape.symbols, what)
        config = replace(
            shape,
            pretrained=_sha256(files),
            vocabulary=vocabulary.name,
            symbols=vocabulary.size,
            end=vocabulary.end,
        )
        weights = _weights(config, _tensors(files), facts)
    except KeyError as error:
        raise _lacking(what, error) from error
    except (ValueError, TypeError, OSError, SafetensorError, CheckpointError) as error:
        raise PretrainedError(mark("%(model)s can’t be used: %(reason)s"), model=what, reason=error) from error
    return checked(Pretrained(config, weights, vocabulary, what, _licence(path)), what)


def shape_of(facts: dict[str, Any], what: str) -> LlamaConfig:
    """Return the network that a config.json describes; `what` is the model's name in errors.

    It doesn't know the sha256 of the weights, the vocabulary and its end mark. Raises PretrainedError if it isn't one
    of a known architecture.
    """
    known_architecture(facts.get("model_type"), what, ARCHITECTURES)
    if strange := _strange(facts):
        raise PretrainedError(
            mark(
                "%(model)s isn’t a dense transformer like Llama: see %(names)s in its %(file)s. Choose another model."
            ),
            model=what,
            names=", ".join(strange),
            file=CONFIG,
        )
    try:
        return _config(facts)
    except KeyError as error:
        raise _lacking(what, error) from error
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise PretrainedError(mark("%(model)s can’t be used: %(reason)s"), model=what, reason=error) from error


def _lacking(what: str, error: KeyError) -> PretrainedError:
    return PretrainedError(
        mark("%(model)s lacks %(reason)s. Download it again, or choose a complete model."), model=what, reason=error
    )


def _strange(facts: dict[str, Any]) -> list[str]:
    """Return the names of what makes the model one that this version can't compute."""
    layers, is_granite_4 = facts.get("layer_types") or (), facts["model_type"] == GRANITE_4
    usual = {
        "hidden_act": facts.get("hidden_act", "silu") == "silu",
        "attention_bias": not facts.get("attention_bias"),
        "mlp_bias": not facts.get("mlp_bias"),
        "use_sliding_window": not facts.get("use_sliding_window"),
        "layer_types": set(layers) <= {"attention", "full_attention"} and (bool(layers) or not is_granite_4),
    }
    if is_granite_4:
        usual["num_local_experts"] = not facts.get("num_local_experts", 8)
        usual["position_embedding_type"] = facts.get("position_embedding_type") == "rope"
    return [name for name, is_usual in usual.items() if not is_usual]


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PretrainedError(
            mark(
                "%(name)s can’t be read (%(reason)s). A model’s directory has %(config)s, %(weights)s and "
                "%(tokenizer)s."
            ),
            name=path.name,
            reason=error,
            config=CONFIG,
            weights=WEIGHTS,
            tokenizer=TOKENIZER,
        ) from error
    if not isinstance(found, dict):
        raise PretrainedError(mark("%(name)s isn’t a configuration. Download it again."), name=path.name)
    return found


def _files(path: Path) -> list[Path]:
    """Return the files with weights, inside the directory only."""
    if (path / WEIGHTS).is_file():
        return [path / WEIGHTS]
    names = sorted({str(name) for name in _json(path / INDEX).get("weight_map", {}).values()})
    if not names or any(Path(name).name != name or not name.endswith(".safetensors") for name in names):
        raise PretrainedError(
            mark("%(index)s names no safetensors files beside it. Download the model again."), index=INDEX
        )
    return [path / name for name in names]


def _vocabulary(path: Path, size: int, what: str) -> BpeVocabulary:
    text = path.read_text(encoding="utf-8")
    file = json.loads(text)
    tokens = set(file["model"]["vocab"]) | {token["content"] for token in file.get("added_tokens", [])}
    return BpeVocabulary.from_json(text, end=end_mark(tokens, what), size=size)


def _sha256(files: list[Path]) -> str:
    digests = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            digests.update(hashlib.file_digest(opened, "sha256").digest())
    return digests.hexdigest()


def _config(facts: dict[str, Any]) -> LlamaConfig:
    heads, kind = facts["num_attention_heads"], facts["model_type"]
    names = ("embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling")
    constants: dict[str, Any] = {name: float(facts.get(name, 1)) for name in names}
    return LlamaConfig(
        pretrained="0" * 64,
        vocabulary="bpe-",
        symbols=facts["vocab_size"],
        end=0,
        layers=facts["num_hidden_layers"],
        width=facts["hidden_size"],
        heads=heads,
        kv_heads=facts.get("num_key_value_heads") or heads,
        head_size=facts.get("head_dim") or facts["hidden_size"] // heads,
        hidden=facts["shared_intermediate_size" if kind == GRANITE_4 else "intermediate_size"],
        norm_epsilon=facts["rms_norm_eps"],
        tied=bool(facts.get("tie_word_embeddings", False)),
        architecture=kind,
        qk_norm=kind == QWEN3,
        **(constants if kind in (GRANITE, GRANITE_4) else {}),
    )


def _tensors(files: list[Path]) -> dict[str, NDArray[Any]]:
    return dict(tensor for file in files for tensor in _of(file))


def _of(file: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    with safe_open(file, framework="numpy") as opened:
        for name in opened.keys():  # noqa: SIM118 - not a dictionary
            yield name, opened.get_tensor(name)


def _weights(config: LlamaConfig, tensors: dict[str, NDArray[Any]], facts: dict[str, Any]) -> dict[str, NDArray[Any]]:
    scaling, base = _rotary(facts)
    weights = {
        "embedding": tensors["model.embed_tokens.weight"],
        "norm": tensors["model.norm.weight"].astype(np.float32),
        "rotary": rotary_angles(config.head_size, base, scaling),
    }
    if not config.tied:
        weights["head"] = tensors["lm_head.weight"]
    for number in range(config.layers):
        block = f"model.layers.{number}"
        if config.architecture == GRANITE_4:
            gate, up = np.split(tensors[f"{block}.shared_mlp.input_linear.weight"], 2)
            contract = tensors[f"{block}.shared_mlp.output_linear.weight"]
        else:
            gate, up, contract = (tensors[f"{block}.mlp.{name}_proj.weight"] for name in ("gate", "up", "down"))
        layer = Layer(
            attend_norm=tensors[f"{block}.input_layernorm.weight"],
            query=tensors[f"{block}.self_attn.q_proj.weight"],
            key=tensors[f"{block}.self_attn.k_proj.weight"],
            value=tensors[f"{block}.self_attn.v_proj.weight"],
            attend_out=tensors[f"{block}.self_attn.o_proj.weight"],
            expand_norm=tensors[f"{block}.post_attention_layernorm.weight"],
            gate=gate,
            up=up,
            contract=contract,
            query_norm=tensors[f"{block}.self_attn.q_norm.weight"] if config.qk_norm else None,
            key_norm=tensors[f"{block}.self_attn.k_norm.weight"] if config.qk_norm else None,
        )
        weights |= layer.named(number)
    return weights


def _rotary(facts: dict[str, Any]) -> tuple[tuple[float, float, float, float] | None, float]:
    """Return the scaling and the base of the rotary positions. Newer configurations keep both in one place."""
    rope = facts.get("rope_parameters") or {}
    base = float(rope.get("rope_theta") or facts.get("rope_theta") or 10_000.0)
    scaling = rope if rope.get("rope_type", "default") != "default" else facts.get("rope_scaling")
    if not scaling:
        return None, base
    kind = scaling.get("rope_type", scaling.get("type"))
    if kind != "llama3":
        raise BadSetting(
            mark("Its positions are scaled by %(kind)s. Only the scaling of Llama 3 is supported."), kind=repr(kind)
        )
    names = ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
    factor, low, high, original = (float(scaling[name]) for name in names)
    return (factor, low, high, original), base


def _licence(path: Path) -> str:
    """Return the licence that the directory's README.md names in its head, or ""."""
    try:
        head = (path / "README.md").read_text(encoding="utf-8", errors="replace")[:4000]
    except OSError:
        return ""
    found = re.search(r"^license:\s*(\S+)\s*$", head, re.MULTILINE)
    return found[1] if found else ""
