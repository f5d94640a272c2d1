"""A tiny Llama in its publisher's files, and a fluent base model that belongs to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from models_app.bots import pretrained
from models_app.ml import checkpoint
from models_app.ml.networks.llama.hugging_face import read_directory
from models_app.ml.networks.llama.pretrained import Pretrained
from models_app.ml.networks.llama.store import take_in
from models_app.ml.networks.llama.weights import first_adapter

END = "<|endoftext|>"
LAYERS, WIDTH, HEADS, KV_HEADS, HEAD, HIDDEN = 2, 64, 4, 2, 16, 24
#: Pairs of letters that are a token.
PAIRS = ("th", "he", "in", "er", "an", "re", "on", "at", "en", "nd", "ti", "es", "or", "te", "of", "ed", "is", "it")


def _alphabet() -> list[str]:
    """The characters that stand for the 256 bytes in a byte-level BPE."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return [*map(chr, printable), *(chr(0x100 + place) for place, _ in enumerate(others))]


TOKENS = [END, *_alphabet(), *PAIRS]
MERGES = [f"{pair[0]} {pair[1]}" for pair in PAIRS]


def tokenizer_json() -> str:
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    vocabulary = {token: number for number, token in enumerate(TOKENS)}
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": [{"id": 0, "content": END, "special": True}],
            "normalizer": None,
            "pre_tokenizer": level,
            "post_processor": None,
            "decoder": level,
            "model": {"type": "BPE", "vocab": vocabulary, "merges": MERGES},
        }
    )


def weights(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Random weights by the names of Hugging Face, (outputs, inputs) each. Posts end after about thirty symbols."""
    rng = np.random.default_rng(seed)

    def made(*shape: int) -> NDArray[np.float32]:
        return rng.normal(0, 0.2, shape).astype(np.float32)

    named = {"model.embed_tokens.weight": made(len(TOKENS), WIDTH), "model.norm.weight": np.ones(WIDTH, np.float32)}
    for number in range(LAYERS):
        shapes = {
            "input_layernorm": (WIDTH,),
            "self_attn.q_proj": (HEADS * HEAD, WIDTH),
            "self_attn.k_proj": (KV_HEADS * HEAD, WIDTH),
            "self_attn.v_proj": (KV_HEADS * HEAD, WIDTH),
            "self_attn.o_proj": (WIDTH, HEADS * HEAD),
            "post_attention_layernorm": (WIDTH,),
            "mlp.gate_proj": (HIDDEN, WIDTH),
            "mlp.up_proj": (HIDDEN, WIDTH),
            "mlp.down_proj": (WIDTH, HIDDEN),
        }
        for name, shape in shapes.items():
            key = f"model.layers.{number}.{name}.weight"
            named[key] = np.ones(shape, np.float32) if len(shape) == 1 else made(*shape)
    # Otherwise, posts hardly ever end, and tests that train spend most of their time on samples.
    named["model.embed_tokens.weight"][TOKENS.index(END)] *= 8
    return named


def hugging_face(folder: Path, *, seed: int = 0, **changes: Any) -> Path:
    """Write a directory as the Hugging Face Hub has it; `changes` are to its config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "llama",
        "vocab_size": len(TOKENS),
        "hidden_size": WIDTH,
        "intermediate_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "rms_norm_eps": 1e-5,
        "rope_theta": 100.0,
        "eos_token_id": 0,
        "tie_word_embeddings": True,
    }
    (folder / "config.json").write_text(json.dumps(config | changes))
    (folder / "tokenizer.json").write_text(tokenizer_json())
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\nTiny.\n")
    save_file(weights(seed), folder / "model.safetensors")
    return folder


def gguf_file(
    path: Path, *, seed: int = 0, architecture: str = "llama", heads: int | list[int] = HEADS, dtype: Any = np.float32
) -> Path:
    """Write the same model as llama.cpp has it, or one with another number of heads or another type of embeddings."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("Tiny Llama")
    writer.add_license("apache-2.0")
    writer.add_block_count(LAYERS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(heads)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(HEAD)
    writer.add_rope_freq_base(100.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_merges(MERGES)
    writer.add_eos_token_id(0)
    names = {
        "input_layernorm": "attn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "post_attention_layernorm": "ffn_norm",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    for name, array in weights(seed).items():
        if name.startswith("model.layers."):
            number, _, rest = name.removeprefix("model.layers.").removesuffix(".weight").partition(".")
            writer.add_tensor(f"blk.{number}.{names[rest]}.weight", array)
        else:
            known = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
            writer.add_tensor(known[name], array.astype(dtype))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def save_fluent_base(checkpoints: Path, found: Pretrained) -> None:
    """Save a fluent base model as it is shipped, whose adapter changes nothing."""
    adapter = first_adapter(found.config, seed=1)
    checkpoint.save(checkpoints / "fluent", network=found.config, weights=adapter, meta={"name": "fluent"}, half=True)


def ship_fluent(checkpoints: Path, publishers: Path) -> None:
    """Ship a fluent base model, with the pretrained model that it belongs to taken in already."""
    found = read_directory(hugging_face(publishers))
    take_in(found, pretrained.root())
    save_fluent_base(checkpoints, found)


def other_adapter(checkpoints: Path) -> str:
    """Ship another version of the fluent base; return its sha256."""
    found = checkpoint.load(checkpoints / "fluent")
    weights = {name: array + np.float32(0.5) for name, array in found.weights.items()}
    saved = checkpoint.save(checkpoints / "fluent", network=found.network, weights=weights, meta={}, half=True)
    return saved.sha256
