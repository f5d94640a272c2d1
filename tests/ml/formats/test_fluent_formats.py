"""Adapters of a Llama in the formats of PEFT and llama.cpp, the latter opened by llama.cpp itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import ml_dtypes
import numpy as np
import pytest
import xllamacpp
from numpy.typing import NDArray
from safetensors.numpy import load

from models_app.ml.config import SamplingConfig
from models_app.ml.errors import CheckpointError
from models_app.ml.formats import gguf_files, notes, peft_adapter
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.decoder import LlamaDecoder
from models_app.ml.networks.llama.gguf_file import read_gguf
from models_app.ml.networks.llama.hugging_face import read_directory
from models_app.ml.networks.llama.stepper import LlamaStepper
from models_app.ml.networks.llama.store import LIBRARY, take_in
from models_app.ml.vocabulary.bpe import BpeVocabulary
from tests.ml.networks.llama.conftest import TINY, made_adapter, made_frozen
from tests.ml.networks.llama.files import made_config, made_tokenizer, parts, taken_into, write_directory, write_gguf

TOKENIZER = made_tokenizer(300)
VOCABULARY = BpeVocabulary.from_json(TOKENIZER)
#: Large enough for llama.cpp, which pads small heads.
CONFIG = made_config(VOCABULARY, TINY, width=64, heads=4, kv_heads=2, head_size=16, hidden=96, rank=4)
TEXTS: Final = ["The quick brown fox", "What a day! It rains, 🙂 ünd 12"]
NOTES: Final = {"general.description": "a parody"}
#: Of log probabilities of about -1 to -14; for merged models, whose weights and products are float16 in llama.cpp.
TOLERANCE: Final = 0.05
MERGED_TOLERANCE: Final = 0.1

Weights = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def adapter() -> Weights:
    return {name: array.astype(np.float16) for name, array in made_adapter(CONFIG).items()}


@pytest.fixture(scope="module")
def frozen() -> Weights:
    return rounded(made_frozen(CONFIG))


def rounded(weights: Weights) -> Weights:
    """Return the weights with matrices that bfloat16 can hold, as the product keeps them."""
    return {
        name: array.astype(ml_dtypes.bfloat16).astype(np.float32) if array.ndim == 2 else array
        for name, array in weights.items()
    }


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, frozen: Weights) -> Path:
    return write_gguf(tmp_path_factory.mktemp("base") / "tiny.gguf", CONFIG, frozen, TOKENIZER)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Iterator[tuple[LlamaConfig, Path]]:
    """The base model as the product keeps it: the configuration of its bots, and its folder."""
    folder = tmp_path_factory.mktemp("pretrained")
    found = read_gguf(base)
    config = LlamaConfig.from_dict(found.config.as_dict() | {"rank": CONFIG.rank, "scale": CONFIG.scale})
    with taken_into(folder, found):
        yield config, folder / config.pretrained


def own_logprobs(config: LlamaConfig, adapter: Weights, symbols: list[int]) -> NDArray[np.float64]:
    """Return the log probabilities (size,) of the symbol after these, computed in float32."""
    decoder = LlamaDecoder(config, LIBRARY.get(config.pretrained).weights, exact=True)
    stepper = LlamaStepper(decoder, adapter)
    logits, _ = stepper.read(np.array([symbols]), stepper.start(1))
    shifted = logits[0].astype(np.float64) - logits[0].max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


def llama_cpp(model: Path, lora: Path | None = None) -> xllamacpp.Server:
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_ctx, params.n_parallel, params.warmup, params.n_gpu_layers = 256, 1, False, 0
    params.cpuparams.n_threads = 1
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    if lora is not None:
        info = xllamacpp.CommonAdapterLoraInfo()
        info.path, info.scale = str(lora), 1.0
        params.lora_adapters = [info]
    return xllamacpp.Server(params)


def its_logprobs(server: xllamacpp.Server, symbols: list[int]) -> NDArray[np.float64]:
    """Return the log probabilities (size,) of the symbol after these by llama.cpp."""
    # It writes one symbol and returns nothing if that is a part of a character, so it gets one that is whole.
    whole = int(VOCABULARY.encode("a")[0])
    asked = {"prompt": symbols, "max_tokens": 1, "logprobs": CONFIG.symbols, "logit_bias": [[whole, 1000]]}
    answer = server.handle_completions(asked)
    found = np.full(CONFIG.symbols, -np.inf)
    for each in answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
        found[each["id"]] = each["logprob"]
    return found


def symbols_of(text: str) -> list[int]:
    return [CONFIG.end, *VOCABULARY.encode(text).tolist()]


def test_the_commands_that_are_shown_write_as_the_bot_does_here() -> None:
    usual = SamplingConfig().usual_for("llama")
    assert (usual.temperature, usual.top_k, usual.top_p) == (0.5, 0, 0.9)
    flags = '--temp 0.5 --top-k 0 --min-p 0 --top-p 0.9 --samplers "temperature;top_p"'
    arguments = "do_sample=True, temperature=0.5, top_k=0, top_p=0.9"
    docs = (Path(__file__).parents[3] / "docs/bots.md").read_text()
    told = {name: notes.how_to_use_adapter(name, "base", "</s>") for name in ("peft", "gguf-lora", "gguf")}
    for shown in (told["gguf"], told["gguf-lora"], docs):
        assert flags in shown and shown.count(flags) == shown.count("--top-p")
    assert arguments in told["peft"] and arguments in docs
    assert '-p "</s>"' in told["gguf-lora"] and 'convert_tokens_to_ids("</s>")' in told["peft"]
    assert all("HERE" not in text for text in told.values())


def test_llama_cpp_opens_the_adapter_with_the_base(
    base: Path, kept: tuple[LlamaConfig, Path], adapter: Weights, tmp_path: Path
) -> None:
    config, _ = kept
    path = tmp_path / "bot.gguf"
    with path.open("w+b") as out:
        gguf_files.write_lora(config, adapter, NOTES, out)
    server, without = llama_cpp(base, path), llama_cpp(base)
    for text in TEXTS:
        symbols = symbols_of(text)
        own, found = own_logprobs(config, adapter, symbols), its_logprobs(server, symbols)
        np.testing.assert_allclose(found, own, atol=TOLERANCE)
        assert np.abs(its_logprobs(without, symbols) - own).max() > 10 * TOLERANCE, "the adapter has an effect"


def test_llama_cpp_opens_the_merged_model(kept: tuple[LlamaConfig, Path], adapter: Weights, tmp_path: Path) -> None:
    config, folder = kept
    path = tmp_path / "bot.gguf"
    with path.open("w+b") as out:
        gguf_files.write_merged(config, adapter, folder, NOTES, out)
    server = llama_cpp(path)
    for text in TEXTS:
        symbols = symbols_of(text)
        np.testing.assert_allclose(
            its_logprobs(server, symbols), own_logprobs(config, adapter, symbols), atol=MERGED_TOLERANCE
        )
    by_text = server.handle_completions({"prompt": TEXTS[0], "max_tokens": 1})
    assert by_text["usage"]["prompt_tokens"] == len(symbols_of(TEXTS[0])), "it begins a text with the end mark"


def test_the_merged_model_is_read_again_as_a_base(
    kept: tuple[LlamaConfig, Path], frozen: Weights, adapter: Weights, tmp_path: Path
) -> None:
    config, folder = kept
    path = tmp_path / "bot.gguf"
    with path.open("w+b") as out:
        gguf_files.write_merged(config, adapter, folder, NOTES, out)
    found = read_gguf(path)
    assert found.vocabulary.name == VOCABULARY.name
    for name in ("attend", "attend_out", "expand", "contract"):
        merged = frozen[f"1.{name}"] + config.scale * adapter[f"1.{name}.a"].astype("f") @ adapter[
            f"1.{name}.b"
        ].astype("f")
        np.testing.assert_allclose(found.weights[f"1.{name}"], merged, atol=0.01)
    np.testing.assert_allclose(found.weights["rotary"], frozen["rotary"], rtol=1e-4)


def test_stretched_positions_and_an_output_of_its_own_are_kept(tmp_path: Path) -> None:
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    config = made_config(VOCABULARY, CONFIG, tied=False)
    rope = {"rope_scaling": scaling | {"original_max_position_embeddings": 64}}
    found = read_directory(write_directory(tmp_path / "tiny", config, rounded(made_frozen(config)), TOKENIZER, **rope))
    config = LlamaConfig.from_dict(found.config.as_dict() | {"rank": CONFIG.rank})
    adapter = made_adapter(config)
    with taken_into(tmp_path / "kept", found):
        path = tmp_path / "bot.gguf"
        with path.open("w+b") as out:
            gguf_files.write_merged(config, adapter, tmp_path / "kept" / config.pretrained, NOTES, out)
        symbols = symbols_of(TEXTS[1] * 3)
        own = own_logprobs(config, adapter, symbols)
    np.testing.assert_allclose(its_logprobs(llama_cpp(path), symbols), own, atol=MERGED_TOLERANCE)


def test_a_tokenizer_that_llama_cpp_does_not_know_is_named(tmp_path: Path) -> None:
    file = json.loads(TOKENIZER)
    file["pre_tokenizer"]["pretokenizers"][0]["individual_digits"] = False
    found = read_directory(write_directory(tmp_path / "tiny", CONFIG, made_frozen(CONFIG), json.dumps(file)))
    folder = take_in(found, tmp_path / "kept")
    config = LlamaConfig.from_dict(found.config.as_dict() | {"rank": CONFIG.rank})
    with (tmp_path / "bot.gguf").open("w+b") as out, pytest.raises(CheckpointError, match="tokenizer"):
        gguf_files.write_merged(config, made_adapter(config), folder, NOTES, out)


def test_a_peft_adapter_adds_what_ours_does(adapter: Weights) -> None:
    files = peft_adapter.peft_files(CONFIG, adapter, base="Tiny")
    described = json.loads(files[peft_adapter.CONFIG])
    assert (described["peft_type"], described["r"], described["lora_alpha"]) == ("LORA", 4, 8.0)
    tensors = load(files[peft_adapter.WEIGHTS])
    prefix = "base_model.model.model.layers"
    modules = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj"}
    modules |= {"gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"}
    assert sorted(described["target_modules"]) == sorted(name.split(".")[1] for name in modules.values())
    assert set(tensors) == {
        f"{prefix}.{layer}.{name}.lora_{part}.weight"
        for layer in range(CONFIG.layers)
        for name in modules.values()
        for part in "AB"
    }
    deltas = {
        f"{layer}.{name}": adapter[f"{layer}.{name}.a"].astype("f") @ adapter[f"{layer}.{name}.b"].astype("f")
        for layer in range(CONFIG.layers)
        for name in ("attend", "attend_out", "expand", "contract")
    }
    for layer in range(CONFIG.layers):
        for name, delta in parts(CONFIG, deltas, layer).items():
            a, b = (tensors[f"{prefix}.{layer}.{modules[name]}.lora_{part}.weight"].astype("f") for part in "AB")
            assert a.shape == (described["r"], delta.shape[1])
            np.testing.assert_allclose(b @ a, delta, atol=1e-5)


@pytest.mark.skipif(not all(map(find_spec, ("peft", "torch", "transformers"))), reason="uv sync --group benchmarks")
def test_peft_gives_the_logits_of_ours(
    kept: tuple[LlamaConfig, Path], frozen: Weights, adapter: Weights, tmp_path: Path
) -> None:
    config, _ = kept
    folder = write_directory(tmp_path / "base", CONFIG, frozen, TOKENIZER, head_dim=CONFIG.head_size)
    (tmp_path / "bot").mkdir()
    for name, content in peft_adapter.peft_files(config, adapter, base=str(folder)).items():
        (tmp_path / "bot" / name).write_bytes(content)
    texts = [symbols_of(text) for text in TEXTS]
    asked = json.dumps({"base": str(folder), "bot": str(tmp_path / "bot"), "texts": texts})
    program = [sys.executable, "-m", "tests.ml.formats.peft_opens"]
    done = subprocess.run(program, input=asked, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    for symbols, found in zip(texts, json.loads(done.stdout), strict=True):
        np.testing.assert_allclose(np.array(found), own_logprobs(config, adapter, symbols), atol=TOLERANCE)
