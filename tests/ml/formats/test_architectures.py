"""Adapters of Qwen3 and Granite in the formats of llama.cpp, opened by llama.cpp itself, and of PEFT."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load

from models_app.ml.formats import gguf_files, peft_adapter
from models_app.ml.networks.llama.config import GRANITE_4, LlamaConfig
from models_app.ml.networks.llama.gguf_file import read_gguf
from models_app.ml.networks.llama.hugging_face import read_directory
from models_app.ml.networks.llama.store import take_in
from models_app.ml.networks.llama.weights import MAPS
from models_app.ml.vocabulary.bpe import BpeVocabulary
from tests.ml.networks.llama.conftest import ARCHITECTURES, made_adapter, made_frozen
from tests.ml.networks.llama.files import made_config, publishers, taken_into, write_directory, write_gguf
from tests.ml.vocabulary import test_splits as splits

from .test_fluent_formats import (
    MERGED_TOLERANCE,
    NOTES,
    TEXTS,
    TOKENIZER,
    TOLERANCE,
    VOCABULARY,
    its_logprobs,
    llama_cpp,
    own_logprobs,
    rounded,
    symbols_of,
)

Weights = dict[str, NDArray[Any]]


@pytest.fixture(params=list(ARCHITECTURES.values()), ids=list(ARCHITECTURES))
def config(request: pytest.FixtureRequest) -> LlamaConfig:
    return made_config(VOCABULARY, request.param, hidden=96, rank=4)


def own_config(config: LlamaConfig, pretrained: str) -> LlamaConfig:
    """Return the configuration of a bot with this pretrained model."""
    return LlamaConfig.from_dict(config.as_dict() | {"pretrained": pretrained})


def test_llama_cpp_opens_the_adapter_with_the_base(config: LlamaConfig, tmp_path: Path) -> None:
    base = write_gguf(tmp_path / "base.gguf", config, rounded(made_frozen(config)), TOKENIZER)
    found, adapter = read_gguf(base), made_adapter(config)
    with (tmp_path / "bot.gguf").open("w+b") as out:
        gguf_files.write_lora(config, adapter, NOTES, out)
    server, without = llama_cpp(base, tmp_path / "bot.gguf"), llama_cpp(base)
    own_one = own_config(config, found.config.pretrained)
    all_symbols = [symbols_of(text) for text in TEXTS]
    with taken_into(tmp_path / "kept", found):
        own = np.stack([own_logprobs(own_one, adapter, symbols) for symbols in all_symbols])
    np.testing.assert_allclose([its_logprobs(server, symbols) for symbols in all_symbols], own, atol=TOLERANCE)
    plain = np.stack([its_logprobs(without, symbols) for symbols in all_symbols])
    assert np.abs(plain - own).max(axis=1).min() > 5 * TOLERANCE, "the adapter has an effect"


def test_llama_cpp_opens_the_merged_model_and_it_is_read_again(config: LlamaConfig, tmp_path: Path) -> None:
    frozen, adapter = rounded(made_frozen(config)), made_adapter(config)
    found = read_directory(write_directory(tmp_path / "base", config, frozen, TOKENIZER))
    with taken_into(tmp_path / "kept", found):
        config = own_config(config, found.config.pretrained)
        with (tmp_path / "bot.gguf").open("w+b") as out:
            gguf_files.write_merged(config, adapter, tmp_path / "kept" / config.pretrained, NOTES, out)
        server = llama_cpp(tmp_path / "bot.gguf")
        for text in TEXTS:
            symbols = symbols_of(text)
            own = own_logprobs(config, adapter, symbols)
            np.testing.assert_allclose(its_logprobs(server, symbols), own, atol=MERGED_TOLERANCE)
    again = read_gguf(tmp_path / "bot.gguf")
    assert again.config.architecture == config.architecture and again.config.tied == config.tied
    for name in MAPS:
        merged = frozen[f"1.{name}"] + config.scale * adapter[f"1.{name}.a"] @ adapter[f"1.{name}.b"]
        np.testing.assert_allclose(again.weights[f"1.{name}"], merged, atol=0.01)
    for name in ("1.query_norm", "1.key_norm", "1.attend_norm", "norm"):
        np.testing.assert_array_equal(again.weights.get(name, 0), frozen.get(name, 0))


def test_a_peft_adapter_adds_what_ours_does_by_the_publishers_names(config: LlamaConfig) -> None:
    adapter = made_adapter(config)
    tensors = load(peft_adapter.peft_files(config, adapter, base="Tiny")[peft_adapter.WEIGHTS])
    deltas = {
        f"{layer}.{name}": adapter[f"{layer}.{name}.a"] @ adapter[f"{layer}.{name}.b"]
        for layer in range(config.layers)
        for name in MAPS
    }
    zeros = {name: np.zeros_like(array) for name, array in made_frozen(config).items()}
    wanted = {
        name.removesuffix(".weight"): array
        for name, array in publishers(config, zeros | deltas).items()
        if "_proj." in name or "_linear." in name
    }
    prefix = "base_model.model."
    assert {name.removeprefix(prefix).rsplit(".", 2)[0] for name in tensors} == set(wanted)
    assert any("shared_mlp" in name for name in wanted) == (config.architecture == GRANITE_4)
    for name, delta in wanted.items():
        a, b = (tensors[f"{prefix}{name}.lora_{part}.weight"] for part in "AB")
        np.testing.assert_allclose(b @ a, delta, atol=1e-5)


@pytest.mark.parametrize("name", ["qwen2", "dbrx"])
def test_llama_cpp_splits_texts_as_we_do(name: str, tmp_path: Path) -> None:
    tokenizer = json.dumps(splits.publishers(name))
    vocabulary = BpeVocabulary.from_json(tokenizer)
    config = made_config(vocabulary, ARCHITECTURES["qwen3"], hidden=96, rank=4)
    found = read_directory(write_directory(tmp_path / "base", config, made_frozen(config), tokenizer))
    folder = take_in(found, tmp_path / "kept")
    with (tmp_path / "bot.gguf").open("w+b") as out:
        gguf_files.write_merged(config, made_adapter(config), folder, NOTES, out)
    server = llama_cpp(tmp_path / "bot.gguf")

    def its_symbols(text: str) -> list[int]:
        asked = json.dumps({"content": text}).encode()
        request = Request(f"{server.listening_address}/tokenize", asked, {"Content-Type": "application/json"})
        with urlopen(request, timeout=30) as answer:
            found: list[int] = json.load(answer)["tokens"]
            return found

    texts = (*splits.TEXTS, splits.DECOMPOSED)
    assert [its_symbols(text) for text in texts] == [vocabulary.encode(text).tolist() for text in texts]
