"""How fast a fluent bot learns, against the same network and the same batches in PyTorch with transformers and PEFT.

    python -m benchmarks.lora ../shared/data/personas/SenSanders.jsonl.gz --rounds 5
    python -m benchmarks.lora ../shared/data/personas/SenSanders.jsonl.gz --against ../before

Both train SmolLM2-135M with LoRA of rank 16 on all linear maps, in rows of packed posts with a block-diagonal mask.
PEFT adapts the seven maps of a layer one by one, we adapt the four joined ones. Each contender lives in a process of
its own, and they take turns. Prints tokens per second (targets, without padding) and the loss of the first step of
each: they agree if both have computed the same. Needs the dependency group `benchmarks`. With `--against`, another
source tree of ours, as `git worktree add` makes, takes turns with this one instead. Each process also tells how long
its first step took, which builds the graph, and how much memory it needed at most.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.store import LIBRARY
from models_app.ml.training.adapters.config import LENGTH, ROWS
from models_app.ml.training.adapters.packing import PackedBatch, packed_batches

from . import common
from .bases import FLUENT, loaded
from .common import say
from .personas import read_persona

RATE: Final = 1e-4


def ours(path: Path, count: int, name: str = "ours") -> common.Contender:
    """Return the product's learner on this many batches of the posts."""
    from models_app.ml.networks.llama.loaded import frozen_of
    from models_app.ml.networks.llama.weights import first_adapter
    from models_app.ml.training.adapters.learner import AdapterLearner

    network, batches = _prepared(path, count)
    learner = AdapterLearner(network, frozen_of(network.pretrained))
    learner.set_weights(first_adapter(network, 0))
    return _contender(lambda batch: learner.train(batch, learning_rate=RATE)[0], batches, name)


def theirs(path: Path, count: int, bfloat16: bool) -> common.Contender:
    """Return transformers' Llama with PEFT's LoRA on the same batches, in float32 or with bfloat16 weights."""
    import peft
    import torch
    import transformers

    network, batches = _prepared(path, count)
    config = transformers.LlamaConfig(
        vocab_size=network.symbols,
        hidden_size=network.width,
        intermediate_size=network.hidden,
        num_hidden_layers=network.layers,
        num_attention_heads=network.heads,
        num_key_value_heads=network.kv_heads,
        head_dim=network.head_size,
        rms_norm_eps=network.norm_epsilon,
        rope_parameters={"rope_type": "default", "rope_theta": _rotary_base(network)},
        tie_word_embeddings=network.tied,
        attn_implementation="sdpa",
    )
    model = transformers.LlamaForCausalLM(config)
    model.load_state_dict(_state(network), strict=False)
    model = model.to(torch.bfloat16 if bfloat16 else torch.float32)
    names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    alpha = round(network.rank * network.scale)
    adapted = peft.get_peft_model(
        model, peft.LoraConfig(r=network.rank, lora_alpha=alpha, lora_dropout=0.0, target_modules=names)
    )
    learned = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learned, RATE, betas=(0.9, 0.99))

    def step(batch: PackedBatch) -> float:
        inputs, targets, weights, positions, segments = (
            torch.from_numpy(array)
            for array in (batch.inputs, batch.targets, batch.weights, batch.positions, batch.segments)
        )
        length = inputs.shape[1]
        seen = (segments[:, :, None] == segments[:, None, :]) & torch.ones(length, length, dtype=torch.bool).tril()
        mask = torch.zeros(seen.shape, dtype=model.dtype).masked_fill(~seen, torch.finfo(model.dtype).min)[:, None]
        optimizer.zero_grad(set_to_none=True)
        logits = adapted(input_ids=inputs.long(), attention_mask=mask, position_ids=positions.long()).logits
        each = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), targets.long().flatten(), reduction="none"
        )
        loss = (each * weights.flatten()).sum()
        (loss / weights.sum()).backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        return float(loss.detach())

    return _contender(step, batches, "PEFT")


def _prepared(path: Path, count: int) -> tuple[LlamaConfig, list[PackedBatch]]:
    network = loaded(FLUENT).network
    assert isinstance(network, LlamaConfig)
    vocabulary = LIBRARY.get(network.pretrained).vocabulary
    posts = [vocabulary.encode(post) for post in read_persona(path, newest=3200).train]
    rng = np.random.default_rng(0)
    return network, packed_batches(posts, rows=ROWS, length=LENGTH, end=network.end, rng=rng)[:count]


def _contender(step: Callable[[PackedBatch], float], batches: Sequence[PackedBatch], name: str) -> common.Contender:
    """Return the contender that trains a step on each batch, in tokens per second."""
    tokens = sum(float(batch.weights.sum()) for batch in batches)
    begun = time.perf_counter()
    first = step(batches[0]) / float(batches[0].weights.sum())
    say(f"{name}: first step {time.perf_counter() - begun:.1f} s, its loss {first:.4f} nats per token")
    turn = common.timed(lambda: [step(batch) for batch in batches], tokens)

    def run() -> float:
        speed = turn()
        say(f"{name}: {speed:.0f} tokens per second; {common.peak_megabytes():,.0f} MB of memory at most until now")
        return speed

    return run


def _rotary_base(network: LlamaConfig) -> float:
    """Return the base of the rotary angles: the second of D / 2 is base ** (-2 / D)."""
    angles = LIBRARY.get(network.pretrained).weights["rotary"]
    base: float = float(angles[1]) ** (-network.head_size / 2)
    return base


def _state(network: LlamaConfig) -> dict[str, Any]:
    """Return the pretrained weights with transformers' names and shapes, (outputs, inputs)."""
    import torch

    weights = LIBRARY.get(network.pretrained).weights

    def tensor(array: Any) -> Any:
        return torch.from_numpy(np.ascontiguousarray(np.asarray(array, np.float32)))

    state = {"model.embed_tokens.weight": tensor(weights["embedding"]), "model.norm.weight": tensor(weights["norm"])}
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    values = network.heads * network.head_size
    keys = network.kv_heads * network.head_size
    parts = {
        "attend": (("self_attn.q_proj", values), ("self_attn.k_proj", keys), ("self_attn.v_proj", keys)),
        "attend_out": (("self_attn.o_proj", network.width),),
        "expand": (("mlp.gate_proj", network.hidden), ("mlp.up_proj", network.hidden)),
        "contract": (("mlp.down_proj", network.width),),
    }
    for layer in range(network.layers):
        prefix = f"model.layers.{layer}"
        state[f"{prefix}.input_layernorm.weight"] = tensor(weights[f"{layer}.attend_norm"])
        state[f"{prefix}.post_attention_layernorm.weight"] = tensor(weights[f"{layer}.expand_norm"])
        for joined, named in parts.items():
            matrix, at = np.asarray(weights[f"{layer}.{joined}"], np.float32), 0
            for name, size in named:
                state[f"{prefix}.{name}.weight"] = tensor(matrix[:, at : at + size].T)
                at += size
    return state


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    if any(find_spec(name) is None for name in ("torch", "transformers", "peft")):
        raise SystemExit("Install the dependency group first: .uv/bin/uv sync --inexact --group benchmarks")
    facts = common.machine()
    contenders = {"ours": common.in_own_process(ours, options.posts, options.steps)}
    contenders["PEFT float32"] = common.in_own_process(theirs, options.posts, options.steps, False)
    if facts["native_bfloat16"]:
        contenders["PEFT bfloat16"] = common.in_own_process(theirs, options.posts, options.steps, True)
    rates = common.interleaved(contenders, options.rounds)
    body: list[list[object]] = [
        [name, common.spread(rates[name]).text(0), common.ratio(rates, "ours", name).text()] for name in contenders
    ]
    common.table(["trained by", "tokens per second", "ours is times as fast"], body)
    if options.json:
        common.json_line({"benchmark": "lora", "machine": facts, "rates": rates})


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("posts", type=Path, metavar="FILE", help="posts of a person, newest first")
    parser.add_argument("--steps", type=int, default=4, help="steps in a turn (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
