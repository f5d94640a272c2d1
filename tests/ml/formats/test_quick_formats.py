"""Small networks in other formats, each opened by its own library, give the logits of ours."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from playwright._impl._driver import compute_driver_executable

from models_app.ml.config import BYTES, NetworkConfig
from models_app.ml.formats import notes
from models_app.ml.formats.keras_file import keras_files
from models_app.ml.formats.onnx_file import write_onnx
from models_app.ml.formats.tfjs_file import tfjs_files
from models_app.ml.networks.registry import kind_of
from models_app.ml.vocabulary import vocabulary_of
from models_app.ml.vocabulary.utf8_bytes import END
from tests.ml.conftest import (
    TINY,
    TINY_GLR,
    TINY_HARD,
    TINY_LSTM_OF_TOKENS,
    TINY_TOKENS,
    TOKENS,
    random_checkpoint,
)

ALL_CONTEXTS = NetworkConfig(
    kind="glr", embedding=5, units=8, layers=3, contexts=(2, 3, 4, 5, 6, 0), context_rows=2**9, context_width=3
)
NO_CONTEXTS = NetworkConfig(kind="glr", embedding=5, units=8, layers=1)
EACH_NETWORK = pytest.mark.parametrize(
    "network",
    [TINY, TINY_HARD, TINY_GLR, ALL_CONTEXTS, NO_CONTEXTS, TINY_TOKENS, TINY_LSTM_OF_TOKENS],
    ids=["lstm", "hard lstm", "glr", "all contexts", "no contexts", "tokens", "lstm of tokens"],
)
TEXTS: Final = ["", "a", "hello Wörld, it is\nfine 🙂 ", "one two  three\n\nundergroundedness"]
#: Of logits of about 1 to 10, in float32.
TOLERANCE: Final = 2e-5
NOTES: Final = {"label": "a parody"}


def weights_of(network: NetworkConfig) -> dict[str, NDArray[Any]]:
    return {name: array.astype(np.float16) for name, array in random_checkpoint(network).weights.items()}


def read_by(network: NetworkConfig, text: str) -> list[int]:
    """Return the start mark and the symbols of the text."""
    vocabulary = vocabulary_of(network)
    return [vocabulary.end, *vocabulary.encode(text).tolist()]


def own_logits(network: NetworkConfig, text: str) -> NDArray[np.float32]:
    """Return the logits after the start mark and after each symbol, (symbols + 1, size)."""
    stepper = kind_of(network).stepper(network, weights_of(network))
    state, found = stepper.start(1), []
    for symbol in read_by(network, text):
        logits, state = stepper.step(np.array([symbol]), state)
        found.append(logits[0])
    return np.array(found)


def program(network: NetworkConfig, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the program in the notes beside the file, which writes a post, and return its names."""
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    code = notes.python_code(network, name)
    assert f"```python\n{code}```" in notes.how_to_use(network, name)
    exec(code, names)
    return names


def logits_of(network: NetworkConfig, names: dict[str, Any], text: str) -> NDArray[np.float32]:
    """Return what the program's step gives after each symbol of the text."""
    states, found = names["START"], []
    start, *symbols = read_by(network, text)
    post: Any = bytes(symbols) if network.vocabulary == BYTES else symbols
    for place, symbol in enumerate([start, *symbols]):
        logits, states = names["step"](symbol, post[:place], states)
        found.append(logits)
    return np.array(found)


def tokenizer_of(network: NetworkConfig) -> dict[str, str]:
    text = vocabulary_of(network).to_json()
    return {} if text is None else {"tokenizer.json": text}


def write_keras(network: NetworkConfig, folder: Path) -> Path:
    path = folder / "bot.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in keras_files(network, weights_of(network)).items():
            archive.writestr(name, content)
        for name, text in {"README.md": "Keras ignores this.", **tokenizer_of(network)}.items():
            archive.writestr(name, text)
    return path


@EACH_NETWORK
def test_keras_opens_it_with_its_own_layers(
    network: NetworkConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = keras.saving.load_model(write_keras(network, tmp_path))
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}
    names = program(network, "keras", tmp_path, monkeypatch)
    for text in TEXTS:
        np.testing.assert_allclose(logits_of(network, names, text), own_logits(network, text), atol=TOLERANCE)
    assert keras_files(network, weights_of(network)) == keras_files(network, weights_of(network)), "the same each time"


def test_an_lstm_reads_a_whole_text_at_once_and_several_beside_each_other_in_keras(tmp_path: Path) -> None:
    model = keras.saving.load_model(write_keras(TINY, tmp_path))
    texts = ["hello", "wörld"[:4]]
    assert {len(text.encode()) for text in texts} == {5}
    zero = np.zeros((2, TINY.units), np.float32)
    symbols = np.array([[END, *text.encode()] for text in texts], np.int32)
    logits = np.asarray(model([symbols, zero, zero])[0])
    for row, text in enumerate(texts):
        np.testing.assert_allclose(logits[row], own_logits(TINY, text), atol=TOLERANCE)


def test_keras_goes_on_learning_with_the_file(tmp_path: Path) -> None:
    model = keras.saving.load_model(write_keras(TINY, tmp_path))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss=[loss, None, None])
    symbols = np.array([[END, *b"abcabcabc"]], np.int32)
    zero = np.zeros((1, TINY.units), np.float32)
    losses = [float(np.ravel(model.train_on_batch([symbols[:, :-1], zero, zero], symbols[:, 1:]))[0]) for _ in range(8)]
    assert losses[-1] < losses[0] - 0.5


@EACH_NETWORK
def test_onnx_runtime_opens_it_and_computes_the_contexts_too(
    network: NetworkConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.BytesIO()
    told = NOTES | tokenizer_of(network)
    write_onnx(network, weights_of(network), told, out)
    (tmp_path / "bot.onnx").write_bytes(out.getvalue())
    names = program(network, "onnx", tmp_path, monkeypatch)
    for text in TEXTS:
        np.testing.assert_allclose(logits_of(network, names, text), own_logits(network, text), atol=TOLERANCE)
    session = onnxruntime.InferenceSession(out.getvalue())
    assert session.get_modelmeta().custom_metadata_map == told
    again = io.BytesIO()
    write_onnx(network, weights_of(network), told, again)
    assert again.getvalue() == out.getvalue(), "the same bytes each time"


def test_onnx_steps_several_texts_at_once() -> None:
    out = io.BytesIO()
    write_onnx(TINY_GLR, weights_of(TINY_GLR), NOTES, out)
    session = onnxruntime.InferenceSession(out.getvalue())
    texts = ["hello", "a bee"]
    states = session.get_inputs()[1:]
    given: dict[str, Any] = {
        each.name: np.zeros((2, each.shape[1]), np.int64 if each.name == "keys" else np.float32) for each in states
    }
    found = []
    for symbols in zip(*(bytes([END]) + text.encode() for text in texts), strict=True):
        logits, *following = session.run(None, {"symbol": np.array(symbols), **given})
        given = {each.name: state for each, state in zip(states, following, strict=True)}
        found.append(logits)
    own = np.stack([own_logits(TINY_GLR, text) for text in texts], axis=1)
    np.testing.assert_allclose(np.array(found), own, atol=TOLERANCE)


@EACH_NETWORK
def test_tensorflow_js_opens_it(network: NetworkConfig, tmp_path: Path) -> None:
    for name, content in tfjs_files(network, weights_of(network), NOTES).items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / notes.SCRIPT).write_text(notes.script(network), encoding="utf-8")
    script = Path(__file__).with_name("tfjs.mjs")
    for name, text in tokenizer_of(network).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    asked = json.dumps({"folder": str(tmp_path), "texts": [read_by(network, text) for text in TEXTS]})
    node = str(compute_driver_executable()[0])
    done = subprocess.run([node, str(script)], input=asked, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    for text, found in zip(TEXTS, answer["found"], strict=True):
        np.testing.assert_allclose(np.array(found), own_logits(network, text), atol=TOLERANCE)
    assert isinstance(answer["post"], str) and answer["grown"] == 0
    tokens = None if network.vocabulary == BYTES else [list(data) for data in TOKENS.symbol_bytes]
    assert answer.get("tokens") == tokens
