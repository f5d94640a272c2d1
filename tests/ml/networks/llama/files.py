"""Files of pretrained models as publishers make them: a GGUF and a Hugging Face directory, both with our weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from models_app.ml.networks.llama.config import GRANITE, GRANITE_4, QWEN3, LlamaConfig
from models_app.ml.networks.llama.pretrained import Pretrained
from models_app.ml.networks.llama.store import LIBRARY, take_in
from models_app.ml.vocabulary.bpe import BpeVocabulary

CONSTANTS = ("embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling")
Weights = dict[str, NDArray[Any]]
END = "<|endoftext|>"
TEXT = ["The quick brown fox jumps over the lazy dog.", "What a day! It rains, and rains, and rains again."]


@contextmanager
def taken_into(folder: Path, found: Pretrained) -> Iterator[None]:
    """Take the model into the folder, and let the process look for pretrained models only there meanwhile."""
    take_in(found, folder)
    earlier = LIBRARY.keep_in(folder)
    yield
    LIBRARY.keep_in(earlier)


def made_tokenizer(symbols: int) -> str:
    """Return the tokenizer.json of a byte-level BPE with this many symbols."""
    tokenizer = Tokenizer(models.BPE())
    splits = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splits)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=symbols, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXT * 3, trainer)
    made: str = tokenizer.to_str()
    return made


def made_config(vocabulary: BpeVocabulary, base: LlamaConfig, **changes: Any) -> LlamaConfig:
    """Return the architecture of `base` for this vocabulary."""
    values = {"vocabulary": vocabulary.name, "symbols": vocabulary.size, "end": vocabulary.end}
    return LlamaConfig.from_dict(base.as_dict() | values | changes)


def parts(config: LlamaConfig, weights: Weights, layer: int) -> dict[str, NDArray[Any]]:
    """Return the seven matrices of a layer as publishers have them, (outputs, inputs) each."""
    ends = np.cumsum([config.heads * config.head_size, config.kv_heads * config.head_size])
    query, key, value = np.split(weights[f"{layer}.attend"].T, ends)
    gate, up = np.split(weights[f"{layer}.expand"].T, 2)
    return {
        "q": query,
        "k": key,
        "v": value,
        "o": weights[f"{layer}.attend_out"].T,
        "gate": gate,
        "up": up,
        "down": weights[f"{layer}.contract"].T,
    }


def publishers(config: LlamaConfig, weights: Weights) -> Weights:
    """Return the weights by the names of Hugging Face."""
    tensors = {"model.embed_tokens.weight": weights["embedding"], "model.norm.weight": weights["norm"]}
    if not config.tied:
        tensors["lm_head.weight"] = weights["head"]
    names = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj"}
    names |= {"gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"}
    for layer in range(config.layers):
        block = f"model.layers.{layer}"
        tensors[f"{block}.input_layernorm.weight"] = weights[f"{layer}.attend_norm"]
        tensors[f"{block}.post_attention_layernorm.weight"] = weights[f"{layer}.expand_norm"]
        if config.qk_norm:
            tensors[f"{block}.self_attn.q_norm.weight"] = weights[f"{layer}.query_norm"]
            tensors[f"{block}.self_attn.k_norm.weight"] = weights[f"{layer}.key_norm"]
        found = parts(config, weights, layer)
        if config.architecture == GRANITE_4:
            gate, up, down = (found.pop(name) for name in ("gate", "up", "down"))
            tensors[f"{block}.shared_mlp.input_linear.weight"] = np.concatenate([gate, up])
            tensors[f"{block}.shared_mlp.output_linear.weight"] = down
        tensors |= {f"{block}.{names[name]}.weight": array for name, array in found.items()}
    return {name: np.ascontiguousarray(array) for name, array in tensors.items()}


def described(config: LlamaConfig) -> dict[str, Any]:
    """Return the model's config.json."""
    facts: dict[str, Any] = {
        "model_type": config.architecture,
        "vocab_size": config.symbols,
        "num_hidden_layers": config.layers,
        "hidden_size": config.width,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "intermediate_size": config.hidden,
        "rms_norm_eps": config.norm_epsilon,
        "rope_theta": 100.0,
        "tie_word_embeddings": config.tied,
    }
    if config.architecture == QWEN3:
        facts |= {"head_dim": config.head_size, "use_sliding_window": False}
    if config.architecture in (GRANITE, GRANITE_4):
        facts |= {name: getattr(config, name) for name in CONSTANTS}
    if config.architecture == GRANITE_4:
        facts |= {"shared_intermediate_size": config.hidden, "intermediate_size": 7, "num_local_experts": 0}
        facts |= {"position_embedding_type": "rope", "layer_types": ["attention"] * config.layers}
    return facts


def write_directory(path: Path, config: LlamaConfig, weights: Weights, tokenizer: str, **facts: Any) -> Path:
    """Write the model as the Hugging Face Hub has it."""
    path.mkdir()
    save_file(publishers(config, weights), path / "model.safetensors")
    (path / "config.json").write_text(json.dumps(described(config) | facts))
    (path / "tokenizer.json").write_text(tokenizer)
    (path / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A tiny model\n")
    return path


def write_gguf(path: Path, config: LlamaConfig, weights: Weights, tokenizer: str, kind: str = "") -> Path:
    """Write the model as llama.cpp has it: the two numbers of each rotary pair side by side, except for Qwen3."""

    def side_by_side(matrix: NDArray[Any]) -> NDArray[Any]:
        size = config.head_size
        halves = matrix.reshape(-1, 2, size // 2, matrix.shape[1])
        return halves.transpose(0, 2, 1, 3).reshape(matrix.shape)

    is_granite = config.architecture in (GRANITE, GRANITE_4)
    writer = GGUFWriter(path, kind or (GRANITE if is_granite else config.architecture))
    writer.add_name("Tiny")
    writer.add_license("apache-2.0")
    writer.add_context_length(256)
    writer.add_block_count(config.layers)
    writer.add_embedding_length(config.width)
    writer.add_feed_forward_length(config.hidden)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv([config.kv_heads] * config.layers if config.architecture == GRANITE_4 else config.kv_heads)
    writer.add_rope_freq_base(100.0)
    if config.architecture == QWEN3:
        writer.add_key_length(config.head_size)
        writer.add_value_length(config.head_size)
    else:
        writer.add_rope_dimension_count(config.head_size)
    if is_granite:
        writer.add_attention_scale(config.attention_multiplier)
        writer.add_embedding_scale(config.embedding_multiplier)
        writer.add_residual_scale(config.residual_multiplier)
        writer.add_logit_scale(config.logits_scaling)
    if config.architecture == GRANITE_4:
        writer.add_expert_shared_feed_forward_length(config.hidden)
        writer.add_rope_scaling_finetuned(True)
    writer.add_layer_norm_rms_eps(config.norm_epsilon)
    file = json.loads(tokenizer)
    tokens = sorted(file["model"]["vocab"], key=file["model"]["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * len(tokens))
    writer.add_token_merges([" ".join(merge) for merge in file["model"]["merges"]])
    tensors = {"token_embd": weights["embedding"], "output_norm": weights["norm"]}
    if not config.tied:
        tensors["output"] = weights["head"]
    names = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output"}
    names |= {"gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down"}
    for layer in range(config.layers):
        tensors[f"blk.{layer}.attn_norm"] = weights[f"{layer}.attend_norm"]
        tensors[f"blk.{layer}.ffn_norm"] = weights[f"{layer}.expand_norm"]
        if config.qk_norm:
            tensors[f"blk.{layer}.attn_q_norm"] = weights[f"{layer}.query_norm"]
            tensors[f"blk.{layer}.attn_k_norm"] = weights[f"{layer}.key_norm"]
        turned = () if config.architecture == QWEN3 else ("q", "k")
        for name, array in parts(config, weights, layer).items():
            tensors[f"blk.{layer}.{names[name]}"] = side_by_side(array) if name in turned else array
    for name, array in tensors.items():
        writer.add_tensor(f"{name}.weight", np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
