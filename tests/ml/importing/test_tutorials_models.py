"""The tutorial's own models give the same probabilities as a network over bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import NetworkConfig, SamplingConfig
from models_app.ml.importing.char_lstm import NotTheTutorials, over_bytes
from models_app.ml.importing.keras_h5 import read_h5
from models_app.ml.importing.tfjs_layers import read_layers_model
from models_app.ml.networks.registry import kind_of
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.vocabulary.utf8_bytes import END

from .keras_models import CHARACTERS, keras_model, layers_model, log_probabilities, old_h5, symbols_of

TEXTS: Final = ["", "Hello, World!", "a\ttab ~ and {all} of `it`"]
#: Of log probabilities, computed in float32.
TOLERANCE: Final = 1e-4

Weights = Mapping[str, NDArray[Any]]


def own_log_probabilities(network: NetworkConfig, weights: Weights, text: str) -> NDArray[np.float64]:
    """Return the log probabilities of all bytes after the start mark and after each byte, (bytes + 1, 256)."""
    stepper = kind_of(network).stepper(network, weights)
    state, found = stepper.start(1), []
    for byte in bytes([END]) + text.encode():
        logits, state = stepper.step(np.array([byte]), state)
        found.append(logits[0].astype(np.float64))
    logits = np.array(found)
    logits -= logits.max(axis=1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def by_symbol(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log probabilities of the tutorial's symbols (n, 98) from those of bytes. "" is all other bytes."""
    known = [END if character == "\n" else ord(character) for character in CHARACTERS[1:]]
    others = [byte for byte in range(256) if byte not in known]
    return np.column_stack([np.log(np.exp(found[:, others]).sum(axis=1)), found[:, known]])


@pytest.mark.parametrize("gates", ["sigmoid", "hard_sigmoid"])
@pytest.mark.parametrize("one_hot", [False, True], ids=["embedding", "one-hot"])
def test_a_file_of_keras_3(tmp_path: Path, gates: str, one_hot: bool) -> None:
    model = keras_model(one_hot=one_hot, recurrent_activation=gates)
    model.save(tmp_path / "model.h5")
    network, weights = over_bytes(*read_h5(tmp_path / "model.h5"))
    assert (network.kind, network.units, network.gates) == ("lstm", 10, gates)
    for text in TEXTS:
        found = by_symbol(own_log_probabilities(network, weights, text))
        np.testing.assert_allclose(found, log_probabilities(model, text, one_hot=one_hot), atol=TOLERANCE)


def hard(values: NDArray[Any]) -> NDArray[Any]:
    """The hard sigmoid of Keras before version 3, and of TensorFlow.js."""
    return np.clip(0.2 * values + 0.5, 0, 1)


def by_hand(model: Any, text: str, gate: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[np.float64]:
    """Return the log probabilities (characters + 1, 98) of Keras' formulas with these gates."""
    embedding, kernel, recurrent, bias, output, output_bias = (array.astype(float) for array in model.get_weights())
    h, c, found = np.zeros(10), np.zeros(10), []
    for symbol in symbols_of(text):
        i, f, g, o = np.split(embedding[symbol] @ kernel + h @ recurrent + bias, 4)
        c = gate(f) * c + gate(i) * np.tanh(g)
        h = gate(o) * np.tanh(c)
        logits = h @ output + output_bias
        found.append(logits - np.log(np.exp(logits).sum()))
    return np.array(found)


def test_a_file_of_keras_2_has_other_hard_gates(tmp_path: Path) -> None:
    model = keras_model()
    network, weights = over_bytes(*read_h5(old_h5(model, tmp_path / "model.h5")))
    assert network.gates == "hard_sigmoid"
    for text in TEXTS:
        found = by_symbol(own_log_probabilities(network, weights, text))
        np.testing.assert_allclose(found, by_hand(model, text, hard), atol=TOLERANCE)


@pytest.mark.parametrize("quantized", [False, True], ids=["float32", "uint16"])
def test_a_layers_model_of_tensorflow_js(quantized: bool) -> None:
    model = keras_model()
    files = layers_model(model, quantized=quantized)
    network, weights = over_bytes(*read_layers_model(files.__getitem__))
    for text in TEXTS:
        found = by_symbol(own_log_probabilities(network, weights, text))
        np.testing.assert_allclose(found, by_hand(model, text, hard), atol=0.01 if quantized else TOLERANCE)


def test_it_writes_and_ends_posts_at_line_feeds(tmp_path: Path) -> None:
    network, weights = over_bytes(*read_h5(old_h5(keras_model(), tmp_path / "model.h5")))
    bot = Sampler(Checkpoint(network, dict(weights), {}, ""))
    posts = bot.generate(SamplingConfig(count=5, seed=3, max_characters=200, mask_mentions=False)).posts
    assert len(posts) == 5 and all(post.isascii() and "\n" not in post for post in posts)


def test_other_characters_are_given_beside_the_model(tmp_path: Path) -> None:
    model = keras_model()
    path = old_h5(model, tmp_path / "model.h5")
    mixed = CHARACTERS[::-1]
    network, weights = over_bytes(*read_h5(path), mixed)
    straight, others = over_bytes(*read_h5(path))
    assert network == straight
    assert (
        weights["output_kernel"][:, ord("a")] == others["output_kernel"][:, ord(mixed[CHARACTERS.index("a")])]
    ).all()
    for wrong, said in (
        (CHARACTERS[:-1], "97"),
        ([*CHARACTERS[:-1], "é"], "ASCII"),
        ([*CHARACTERS[:-1], "a"], "ASCII"),
    ):
        with pytest.raises(NotTheTutorials, match=said):
            over_bytes(*read_h5(path), wrong)


def dense(*layers: Any) -> Any:
    return keras.Sequential([keras.Input((None,)), keras.layers.Embedding(98, 4), *layers, keras.layers.Dense(98)])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: dense(keras.layers.GRU(4)), "GRU"),
        (lambda: dense(keras.layers.LSTM(4, return_sequences=True), keras.layers.LSTM(4)), "more than one layer LSTM"),
        (lambda: dense(keras.layers.LSTM(4, activation="relu")), "relu"),
        (lambda: dense(keras.layers.LSTM(4, go_backwards=True)), "forwards"),
        (lambda: dense(keras.layers.LayerNormalization()), "LayerNormalization"),
        (lambda: dense(), "no layer LSTM"),
    ],
)
def test_another_network_is_refused_by_its_layer(tmp_path: Path, make: Callable[[], Any], said: str) -> None:
    make().save(tmp_path / "model.h5")
    with pytest.raises(NotTheTutorials, match=said):
        read_h5(tmp_path / "model.h5")


def edited(path: Path, edit: Callable[[Any], None]) -> Path:
    with h5py.File(path, "r+") as file:
        edit(file)
    return path


def replace_kernel(file: Any, made: Callable[[Any], None]) -> None:
    group = file["model_weights/lstm_1/lstm_1"]
    del group["kernel:0"]
    made(group)


def outside(group: Any) -> None:
    group["kernel:0"] = h5py.ExternalLink("/etc/hostname", "/")


def elsewhere(group: Any) -> None:
    group.create_dataset("kernel:0", (6, 40), "f4", external=[("/etc/hostname", 0, 960)])


def virtual(group: Any) -> None:
    layout = h5py.VirtualLayout((6, 40), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "kernel", (6, 40))
    group.create_virtual_dataset("kernel:0", layout)


def in_itself(group: Any) -> None:
    for number in range(20):
        group[f"again_{number}"] = group


def configured(change: Callable[[Any], None]) -> Callable[[Any], None]:
    def edit(file: Any) -> None:
        config = json.loads(file.attrs["model_config"])
        change(config["config"])
        file.attrs["model_config"] = json.dumps(config)

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda file: replace_kernel(file, outside), "links"),
        (lambda file: replace_kernel(file, elsewhere), "in the file itself"),
        (lambda file: replace_kernel(file, virtual), "in the file itself"),
        (lambda file: replace_kernel(file, lambda group: None), "kernel"),
        (lambda file: replace_kernel(file, in_itself), "too many parts"),
        (
            lambda file: replace_kernel(file, lambda group: group.create_dataset("kernel:0", (9**9, 9**9), "f4")),
            "shape",
        ),
        (lambda file: replace_kernel(file, lambda group: group.create_dataset("kernel:0", (6, 40), "i4")), "floating"),
        (lambda file: file["model_weights/lstm_1/lstm_1/kernel:0"].write_direct(np.full((6, 40), np.nan)), "finite"),
        (lambda file: file.attrs.pop("model_config"), "configuration"),
        (lambda file: file.attrs.update(model_config="{"), "describe"),
        (lambda file: file.attrs.update(model_config=json.dumps([1])), "describe"),
        (lambda file: file.pop("model_weights"), "no weights"),
        (configured(lambda layers: layers[1]["config"].update(units=2**16)), "too large"),
        (configured(lambda layers: layers[1]["config"].update(units="many")), "whole number"),
        (configured(lambda layers: layers[1]["config"].update(recurrent_activation="relu")), "relu"),
        (configured(lambda layers: layers[0]["config"].update(input_dim=97)), "doesn’t read the same symbols"),
        (configured(lambda layers: layers[1].update(class_name="Lambda")), "Lambda"),
    ],
)
def test_a_damaged_or_malicious_file_is_refused(tmp_path: Path, edit: Callable[[Any], None], said: str) -> None:
    path = edited(old_h5(keras_model(), tmp_path / "model.h5"), edit)
    with pytest.raises(NotTheTutorials, match=said):
        over_bytes(*read_h5(path))


def test_what_is_no_hdf5_is_refused(tmp_path: Path) -> None:
    path = old_h5(keras_model(), tmp_path / "model.h5")
    for content in (b"", b"hello", path.read_bytes()[:3000]):
        (tmp_path / "other.h5").write_bytes(content)
        with pytest.raises(NotTheTutorials, match="readable"):
            read_h5(tmp_path / "other.h5")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content.pop("weightsManifest"), "describe"),
        (lambda content: content.update(modelTopology=[]), "describe"),
        (lambda content: content["weightsManifest"][0]["weights"][0].update(shape=[2**20, 2**20]), "shorter"),
        (lambda content: content["weightsManifest"][0]["weights"][0].update(shape=[-1, 6]), "describe"),
        (lambda content: content["weightsManifest"][0]["weights"][0].update(dtype="object"), "describe"),
        (lambda content: content["weightsManifest"][0]["weights"][1].update(name="lstm_2/kernel"), "kernel"),
        (lambda content: content["weightsManifest"][0]["paths"].pop(), "shorter"),
    ],
)
def test_a_damaged_layers_model_is_refused(change: Callable[[Any], None], said: str) -> None:
    files = layers_model(keras_model())
    content = json.loads(files["model.json"])
    change(content)
    files["model.json"] = json.dumps(content).encode()
    with pytest.raises(NotTheTutorials, match=said):
        over_bytes(*read_layers_model(files.__getitem__))
