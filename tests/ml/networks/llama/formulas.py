"""Qwen3 and dense Granite in plain NumPy, in float64, from their publishers' weights and config.json: an oracle.

Written from the formulas of the papers and of transformers' models, and shares nothing with the product.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def logits(facts: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], symbols: NDArray[Any]) -> Array:
    """Return the logits (T, V) after each of symbols (T,)."""
    kind = facts["model_type"]
    wide = {name: array.astype(np.float64) for name, array in tensors.items()}
    embedding = wide["model.embed_tokens.weight"]
    x = embedding[symbols] * facts.get("embedding_multiplier", 1)
    factor = facts.get("residual_multiplier", 1)
    for layer in range(facts["num_hidden_layers"]):
        own = {
            name.removeprefix(block): array
            for name, array in wide.items()
            if name.startswith(block := f"model.layers.{layer}.")
        }
        normed = _norm(x, own["input_layernorm.weight"], facts["rms_norm_eps"])
        x = x + factor * _attention(facts, own, normed)
        normed = _norm(x, own["post_attention_layernorm.weight"], facts["rms_norm_eps"])
        if kind == "granitemoehybrid":
            both = normed @ own["shared_mlp.input_linear.weight"].T
            gate, up = both[:, : both.shape[1] // 2], both[:, both.shape[1] // 2 :]
            down = own["shared_mlp.output_linear.weight"]
        else:
            gate, up = normed @ own["mlp.gate_proj.weight"].T, normed @ own["mlp.up_proj.weight"].T
            down = own["mlp.down_proj.weight"]
        x = x + factor * ((gate / (1 + np.exp(-gate)) * up) @ down.T)
    hidden = _norm(x, wide["model.norm.weight"], facts["rms_norm_eps"])
    head = embedding if facts["tie_word_embeddings"] else wide["lm_head.weight"]
    return np.asarray(hidden @ head.T / facts.get("logits_scaling", 1))


def loss(found: Array, targets: NDArray[Any]) -> float:
    """Return the summed cross-entropy of logits (T, V) in nats."""
    top = found.max(axis=1, keepdims=True)
    logs = found - top - np.log(np.exp(found - top).sum(axis=1, keepdims=True))
    return -float(logs[np.arange(len(targets)), targets].sum())


def _attention(facts: Mapping[str, Any], own: Mapping[str, Array], x: Array) -> Array:
    heads, groups = facts["num_attention_heads"], facts["num_key_value_heads"]
    size = facts.get("head_dim") or facts["hidden_size"] // heads
    mixed = []
    for head in range(heads):
        group = head // (heads // groups)
        query = x @ own["self_attn.q_proj.weight"][head * size : (head + 1) * size].T
        key = x @ own["self_attn.k_proj.weight"][group * size : (group + 1) * size].T
        value = x @ own["self_attn.v_proj.weight"][group * size : (group + 1) * size].T
        if facts["model_type"] == "qwen3":
            query = _norm(query, own["self_attn.q_norm.weight"], facts["rms_norm_eps"])
            key = _norm(key, own["self_attn.k_norm.weight"], facts["rms_norm_eps"])
        query, key = (_turned(part, facts["rope_theta"]) for part in (query, key))
        scores = query @ key.T * facts.get("attention_multiplier", size**-0.5)
        scores = np.where(np.tril(np.ones(scores.shape)) > 0, scores, -np.inf)
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        mixed.append(odds / odds.sum(axis=1, keepdims=True) @ value)
    return np.asarray(np.concatenate(mixed, axis=1) @ own["self_attn.o_proj.weight"].T)


def _norm(x: Array, weight: Array, epsilon: float) -> Array:
    return np.asarray(weight * x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + epsilon))


def _turned(x: Array, base: float) -> Array:
    """Turn each pair (i, i + D / 2) of x (T, D) by its place times base ** (-2 i / D), as a complex number."""
    half = x.shape[1] // 2
    angles = np.arange(len(x))[:, None] * base ** (-np.arange(half) / half)
    turned = (x[:, :half] + 1j * x[:, half:]) * np.exp(1j * angles)
    return np.concatenate([turned.real, turned.imag], axis=1)
