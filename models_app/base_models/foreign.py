"""Small base models from files of the tutorial: HDF5 of Keras, or a ZIP with a TensorFlow.js layers model."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from numpy.typing import NDArray

from models_app.base_models.archive import reading
from models_app.ml.config import NetworkConfig
from models_app.ml.errors import mark
from models_app.ml.importing import keras_h5, tfjs_layers
from models_app.ml.importing.char_lstm import Layers, NotTheTutorials, over_bytes

SUFFIXES: Final = (".h5", ".hdf5")
ZIP: Final = ".zip"
#: In a ZIP: the characters of the network in their order, if they aren't the tutorial's.
CHARACTERS: Final = "characters.json"
MAX_MB: Final = 512
_MAX_ENTRIES: Final = 1000


def is_one(name: str, file: IO[bytes] | Path) -> bool:
    """Return whether a file with this name is such a model, and not one of our own or a pretrained one."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in SUFFIXES:
        return True
    if suffix != ZIP:
        return False
    try:
        with zipfile.ZipFile(file) as archive:
            return bool(_models(archive))
    # NotImplementedError: it needs a newer version of ZIP.
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        return False


def read(path: Path) -> tuple[NetworkConfig, dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the network over bytes, its weights and what to note about it. Raises NotTheTutorials."""
    if path.stat().st_size > MAX_MB * 1_000_000:
        raise NotTheTutorials(mark("The file is too large. The limit is %(most)s MB."), most=MAX_MB)
    if path.suffix.lower() in SUFFIXES:
        layers, weights = keras_h5.read_h5(path)
        config, made = over_bytes(layers, weights)
    else:
        with reading(NotTheTutorials):
            archive = zipfile.ZipFile(path)
        with archive:
            layers, weights, symbols = _unzipped(archive)
        config, made = over_bytes(layers, weights, symbols)
    return config, made, {"converted_from": {"symbols": layers.symbols, "gates": layers.gates}}


def _models(archive: zipfile.ZipFile) -> list[str]:
    """Return the names of the models in a ZIP."""
    entries = archive.infolist()[:_MAX_ENTRIES]
    paths = [PurePosixPath(entry.filename) for entry in entries if not entry.is_dir()]
    return [str(path) for path in paths if path.name == tfjs_layers.MODEL or path.suffix.lower() in SUFFIXES]


def _unzipped(archive: zipfile.ZipFile) -> tuple[Layers, dict[str, dict[str, NDArray[Any]]], list[str]]:
    """Return the layers, the weights by kind of layer and name, and the characters, none if the ZIP has no list."""
    models = _models(archive)
    if len(models) != 1:
        raise NotTheTutorials(
            mark("The ZIP must contain one model, %(first)s or an .h5 file. It has %(count)s."),
            first=tfjs_layers.MODEL,
            count=len(models),
        )
    beside = _beside(archive, PurePosixPath(models[0]).parent)
    symbols: list[str] = []
    if str(PurePosixPath(models[0]).parent / CHARACTERS) in archive.namelist():
        symbols = _characters(beside(CHARACTERS))
    if PurePosixPath(models[0]).name == tfjs_layers.MODEL:
        layers, weights = tfjs_layers.read_layers_model(beside)
    else:
        # In memory: HDF5 jumps to and fro, and what it unpacks is counted.
        layers, weights = keras_h5.read_h5(io.BytesIO(beside(PurePosixPath(models[0]).name)))
    return layers, weights, symbols


def _beside(archive: zipfile.ZipFile, folder: PurePosixPath) -> Callable[[str], bytes]:
    """Return what reads a file in this folder of the ZIP, within the limit for all of them."""
    left = MAX_MB * 1_000_000

    def read(name: str) -> bytes:
        nonlocal left
        try:
            with reading(NotTheTutorials), archive.open(str(folder / name)) as file:
                data = file.read(left + 1)
        except KeyError as error:
            raise NotTheTutorials(mark("The file %(name)s is missing from the ZIP."), name=name[:100]) from error
        left -= len(data)
        if left < 0:
            raise NotTheTutorials(mark("The file is too large. The limit is %(most)s MB."), most=MAX_MB)
        return data

    return read


def _characters(data: bytes) -> list[str]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotTheTutorials(mark("%(file)s isn’t valid JSON."), file=CHARACTERS) from error
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise NotTheTutorials(mark("%(file)s must be a list of characters."), file=CHARACTERS)
    return found
