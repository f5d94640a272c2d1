"""Quick bots for other libraries: Keras, ONNX and TensorFlow.js."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any
from zipfile import ZIP_STORED, ZipFile

from numpy.typing import NDArray

from models_app.bots import files
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml import checkpoint
from models_app.ml.config import NetworkConfig
from models_app.ml.formats import keras_file, notes, onnx_file, tfjs_file
from models_app.ml.networks.registry import small_network
from models_app.ml.vocabulary import vocabulary_of

from .card import CARD, card_of, label_of
from .form import put


def fits(model: TrainedModel) -> bool:
    """Return whether the model is a small network."""
    return model.tier == Tier.QUICK


def write_keras(model: TrainedModel, out: IO[bytes]) -> None:
    """Write a `.keras` file, a zip in which Keras ignores the model card."""
    config, weights = _loaded(model)
    with ZipFile(out, "w", ZIP_STORED) as archive:
        for name, content in keras_file.keras_files(config, weights).items():
            put(archive, model, name, content)
        for name, text in _vocabulary(config).items():
            put(archive, model, name, text)
        put(archive, model, CARD, _card(model, config, "keras"))


def write_onnx(model: TrainedModel, out: IO[bytes]) -> None:
    """Write an `.onnx` file with the model card in its metadata."""
    config, weights = _loaded(model)
    told = {"label": label_of(model), CARD: _card(model, config, "onnx"), **_vocabulary(config)}
    onnx_file.write_onnx(config, weights, told, out)


def write_tfjs(model: TrainedModel, out: IO[bytes]) -> None:
    """Write a zip with the graph model, the model card and a script that writes with it."""
    config, weights = _loaded(model)
    with ZipFile(out, "w", ZIP_STORED) as archive:
        put(archive, model, CARD, _card(model, config, "tfjs"))
        put(archive, model, notes.SCRIPT, notes.script(config))
        for name, text in _vocabulary(config).items():
            put(archive, model, name, text)
        for name, content in tfjs_file.tfjs_files(config, weights, {"label": label_of(model)}).items():
            put(archive, model, name, content)


def _loaded(model: TrainedModel) -> tuple[NetworkConfig, Mapping[str, NDArray[Any]]]:
    """Return the verified network and its weights as stored. Raises CheckpointError."""
    loaded = checkpoint.load(files.path_of(model), as_stored=True)
    return small_network(loaded.network), loaded.weights


def _vocabulary(config: NetworkConfig) -> dict[str, str]:
    """Return the file that says what the tokens of the network are, by its name; nothing for bytes."""
    text = vocabulary_of(config).to_json()
    return {} if text is None else {checkpoint.TOKENIZER: text}


def _card(model: TrainedModel, config: NetworkConfig, name: str) -> str:
    return f"{card_of(model)}\n{notes.how_to_use(config, name)}\n"
