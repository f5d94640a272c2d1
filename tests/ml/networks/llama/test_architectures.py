"""Qwen3 and dense Granite, from both kinds of file, compared with the formulas in plain NumPy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from models_app.ml.errors import BadSetting
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.cross_entropy import summed_cross_entropy
from models_app.ml.networks.llama.decoder import LlamaDecoder
from models_app.ml.networks.llama.gguf_file import read_gguf
from models_app.ml.networks.llama.hugging_face import read_directory
from models_app.ml.networks.llama.network import LlamaNetwork, frozen_tensors
from models_app.ml.networks.llama.pretrained import Pretrained, PretrainedError
from models_app.ml.networks.llama.stepper import LlamaStepper
from models_app.ml.networks.llama.weights import MAPS, adapter_shapes
from models_app.ml.vocabulary.bpe import BpeVocabulary

from . import formulas
from .conftest import ARCHITECTURES, GRANITE, GRANITE_4, QWEN3, TINY, made_adapter, made_frozen
from .files import described, made_config, made_tokenizer, publishers, write_directory, write_gguf
from .test_keras_hub import causal

Weights = dict[str, NDArray[Any]]
TOKENIZER = made_tokenizer(300)
VOCABULARY = BpeVocabulary.from_json(TOKENIZER)
SYMBOLS = np.array([0, 5, 17, 250, 17, 9, 3, 77, 2])
TARGETS = np.array([5, 17, 250, 17, 9, 3, 77, 2, 0])


def merged(config: LlamaConfig, frozen: Weights, adapter: Weights) -> Weights:
    """Return the frozen weights with the adapter added to them, in float64."""
    found = {name: array.astype(np.float64) for name, array in frozen.items()}
    for layer in range(config.layers):
        for name in MAPS:
            a, b = (adapter[f"{layer}.{name}.{part}"].astype(np.float64) for part in "ab")
            found[f"{layer}.{name}"] += config.scale * a @ b
    return found


def expected(config: LlamaConfig, frozen: Weights, adapter: Weights, symbols: NDArray[Any] = SYMBOLS) -> Any:
    return formulas.logits(described(config), publishers(config, merged(config, frozen, adapter)), symbols)


def ours(config: LlamaConfig, frozen: Weights, adapter: Weights) -> tuple[LlamaNetwork, Any]:
    variables = {name: tf.Variable(tf.constant(array)) for name, array in adapter.items()}
    network = LlamaNetwork(config, frozen_tensors(frozen, "float32"), variables)
    positions = tf.constant(np.arange(len(SYMBOLS))[None])
    return network, lambda: network.hidden(tf.constant(SYMBOLS[None]), positions, causal(1, len(SYMBOLS)))


def from_directory(config: LlamaConfig, weights: Weights, folder: Path) -> Pretrained:
    return read_directory(write_directory(folder / "tiny", config, weights, TOKENIZER))


def from_gguf(config: LlamaConfig, weights: Weights, folder: Path) -> Pretrained:
    return read_gguf(write_gguf(folder / "tiny.gguf", config, weights, TOKENIZER))


def told(config: LlamaConfig) -> dict[str, Any]:
    """Return the configuration with numbers in float32, as in GGUF files."""
    values = config.as_dict()
    return {name: np.float32(value) if isinstance(value, float) else value for name, value in values.items()}


@pytest.mark.parametrize("read", [from_directory, from_gguf])
def test_files_give_the_logits_of_the_formulas(
    architecture: LlamaConfig, read: Callable[[LlamaConfig, Weights, Path], Pretrained], tmp_path: Path
) -> None:
    config = made_config(VOCABULARY, architecture)
    frozen, adapter = made_frozen(config), made_adapter(config)
    found = read(config, frozen, tmp_path)
    assert told(found.config) == told(config) | {"pretrained": found.config.pretrained, "rank": found.config.rank}
    network, hidden = ours(replace(found.config, rank=config.rank), found.weights, adapter)
    logits = tf.matmul(hidden(), network.head, transpose_b=True).numpy()
    wanted = expected(config, frozen, adapter)
    assert np.abs(wanted).max() > 0.3
    np.testing.assert_allclose(logits, wanted, atol=5e-5)
    assert np.abs(wanted - expected(config, frozen, made_adapter(config, seed=2))).max() > 0.1


def test_the_adapters_gradients_are_the_slopes_of_the_formulas(architecture: LlamaConfig) -> None:
    frozen, adapter = made_frozen(architecture), made_adapter(architecture)
    network, hidden = ours(architecture, frozen, adapter)
    weights = tf.ones(len(TARGETS))
    with tf.GradientTape() as tape:
        loss, _ = summed_cross_entropy(hidden(), network.head, tf.constant(TARGETS, tf.int32), weights, 4)
    found = dict(zip(network.adapter, tape.gradient(loss, list(network.adapter.values())), strict=True))
    assert float(loss) == pytest.approx(formulas.loss(expected(architecture, frozen, adapter), TARGETS), rel=1e-5)
    rng, step = np.random.default_rng(3), 1e-5
    for name, shape in adapter_shapes(architecture).items():
        direction = rng.normal(0, 1, shape)
        losses = []
        for sign in (1, -1):
            moved = adapter | {name: adapter[name].astype(np.float64) + sign * step * direction}
            losses.append(formulas.loss(expected(architecture, frozen, moved), TARGETS))
        slope = (losses[0] - losses[1]) / (2 * step)
        scale = float(np.linalg.norm(found[name].numpy()))
        assert scale > 1e-3
        assert float((found[name].numpy() * direction).sum()) == pytest.approx(slope, rel=1e-3, abs=1e-4 * scale), name


def test_the_decoder_writes_by_the_formulas(architecture: LlamaConfig) -> None:
    frozen, adapter = made_frozen(architecture), made_adapter(architecture)
    stepper = LlamaStepper(LlamaDecoder(architecture, frozen, exact=True), adapter)
    other = SYMBOLS[::-1]
    wanted = [expected(architecture, frozen, adapter, symbols) for symbols in (SYMBOLS, other)]
    both = np.stack([SYMBOLS, other])
    logits, state = stepper.read(both[:, :4], stepper.start(2))
    for place in range(4, len(SYMBOLS)):
        np.testing.assert_allclose(logits, [each[place - 1] for each in wanted], atol=2e-4)
        logits, state = stepper.step(both[:, place], state)
    np.testing.assert_allclose(logits, [each[-1] for each in wanted], atol=2e-4)


def test_int8_hardly_changes_what_comes_next(architecture: LlamaConfig) -> None:
    frozen, adapter = made_frozen(architecture), made_adapter(architecture)
    stepper = LlamaStepper(LlamaDecoder(architecture, frozen), adapter)
    found = stepper.read(SYMBOLS[None], stepper.start(1))[0][0].astype(np.float64)
    exact = expected(architecture, frozen, adapter)[-1]
    assert not np.allclose(found, exact, atol=1e-5)
    logs = [each - each.max() - np.log(np.exp(each - each.max()).sum()) for each in (exact, found)]
    assert float((np.exp(logs[0]) * (logs[0] - logs[1])).sum()) < 0.005


def test_bfloat16_learns_about_the_same(architecture: LlamaConfig) -> None:
    frozen, adapter = made_frozen(architecture), made_adapter(architecture)
    found = []
    for kind in ("float32", "bfloat16"):
        variables = {name: tf.Variable(tf.constant(array)) for name, array in adapter.items()}
        network = LlamaNetwork(architecture, frozen_tensors(frozen, kind), variables)
        with tf.GradientTape() as tape:
            hidden = network.hidden(tf.constant(SYMBOLS[None]), tf.range(len(SYMBOLS))[None], causal(1, len(SYMBOLS)))
            weights = tf.ones(len(TARGETS))
            loss, _ = summed_cross_entropy(hidden, network.head, tf.constant(TARGETS, tf.int32), weights, 4)
        gradient: list[Any] = tape.gradient(loss, list(variables.values()))
        found.append(np.concatenate([part.numpy().ravel() for part in gradient]))
    exact, about = found
    assert float(exact @ about) > 0.99 * float(np.linalg.norm(exact) * np.linalg.norm(about))


def test_published_models_have_as_many_weights_as_their_publishers_say() -> None:
    shared: dict[str, Any] = {"vocabulary": TINY.vocabulary, "pretrained": TINY.pretrained, "end": 0}
    qwen = LlamaConfig(
        **shared, symbols=151_936, layers=28, width=1024, heads=16, kv_heads=8, head_size=128, hidden=3072, qk_norm=True
    )
    granite = LlamaConfig(
        **shared, symbols=100_352, layers=28, width=1024, heads=16, kv_heads=4, head_size=64, hidden=2048
    )
    assert (qwen.parameters, granite.parameters) == (596_049_920, 352_379_904)


def test_a_llama_is_described_as_by_earlier_versions() -> None:
    assert set(TINY.as_dict()) == {
        "kind", "vocabulary", "pretrained", "symbols", "end", "layers", "width", "heads", "kv_heads", "head_size",
        "hidden", "norm_epsilon", "tied", "rank", "scale",
    }  # fmt: skip
    for config in (TINY, *ARCHITECTURES.values()):
        assert LlamaConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config


@pytest.mark.parametrize(
    "changed",
    [
        {"architecture": "gemma"},
        {"qk_norm": 1},
        {"embedding_multiplier": 0.0},
        {"residual_multiplier": float("nan")},
        {"logits_scaling": -1.0},
        {"attention_multiplier": "much"},
    ],
)
def test_values_that_mean_nothing_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(BadSetting):
        LlamaConfig.from_dict(TINY.as_dict() | changed)


@pytest.mark.parametrize(
    ("config", "facts", "named"),
    [
        (GRANITE_4, {"num_local_experts": 8}, "num_local_experts"),
        (GRANITE_4, {"layer_types": ["attention", "mamba"]}, "layer_types"),
        (GRANITE_4, {"layer_types": None}, "layer_types"),
        (GRANITE_4, {"position_embedding_type": "nope"}, "position_embedding_type"),
        (GRANITE, {"attention_bias": True}, "attention_bias"),
        (GRANITE, {"mlp_bias": True}, "mlp_bias"),
        (QWEN3, {"use_sliding_window": True}, "use_sliding_window"),
        (QWEN3, {"layer_types": ["full_attention", "sliding_attention"]}, "layer_types"),
        (TINY, {"hidden_act": "gelu"}, "hidden_act"),
    ],
)
def test_a_model_that_is_not_dense_is_refused_with_the_reason(
    config: LlamaConfig, facts: dict[str, Any], named: str, tmp_path: Path
) -> None:
    config = made_config(VOCABULARY, config)
    path = write_directory(tmp_path / "tiny", config, made_frozen(config), TOKENIZER, **facts)
    with pytest.raises(
        PretrainedError, match=rf"isn’t a dense transformer like Llama: see {named} in its config\.json"
    ):
        read_directory(path)


def test_a_gguf_file_with_stretched_positions_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gguf import GGUFWriter, RopeScalingType

    plain = GGUFWriter.add_rope_freq_base

    def stretched(writer: GGUFWriter, base: float) -> None:
        plain(writer, base)
        writer.add_rope_scaling_type(RopeScalingType.YARN)

    monkeypatch.setattr(GGUFWriter, "add_rope_freq_base", stretched)
    config = made_config(VOCABULARY, QWEN3)
    with pytest.raises(PretrainedError, match="stretched positions"):
        read_gguf(write_gguf(tmp_path / "tiny.gguf", config, made_frozen(config), TOKENIZER))
    monkeypatch.undo()
    monkeypatch.setattr(GGUFWriter, "add_rope_scaling_finetuned", _without_positions)
    config = made_config(VOCABULARY, GRANITE_4)
    with pytest.raises(PretrainedError, match="or none"):
        read_gguf(write_gguf(tmp_path / "granite.gguf", config, made_frozen(config), TOKENIZER))


def _without_positions(writer: Any, value: bool) -> None:
    writer.add_bool("granite.rope.scaling.finetuned", not value)
