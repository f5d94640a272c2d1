"""Reads the tutorial's network from an HDF5 file of Keras, as `model.save("model.h5")` writes it. Trusts nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from models_app.ml.errors import mark

from .char_lstm import Array, Layers, NotTheTutorials, layers_of

MAX_CONFIG: Final = 1_000_000
#: Groups and arrays of a layer. Keras writes fewer than ten.
MAX_NODES: Final = 100
_FILTERS: Final = (None, "gzip")


def read_h5(file: Path | IO[bytes]) -> tuple[Layers, dict[str, dict[str, Array]]]:
    """Return the layers, and the weights by kind of layer and name. Raises NotTheTutorials."""
    # Imported late: only who adds such a model needs it.
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            layers = replace(layers_of(_config(opened)), is_keras_3=_is_keras_3(opened))
            if not isinstance(opened.get("model_weights", getlink=True), h5py.HardLink):
                raise NotTheTutorials(mark("The file has no weights. Save the whole model."))
            group = opened["model_weights"]
            return layers, {kind: _weights(group, layers.names[kind], shapes) for kind, shapes in layers.shapes.items()}
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, NotTheTutorials):
            raise
        raise NotTheTutorials(mark("This isn’t a readable HDF5 file of Keras.")) from error


def _config(opened: Any) -> Any:
    """Return the model's configuration."""
    import h5py

    if "model_config" not in opened.attrs:
        raise NotTheTutorials(mark("The file has no model configuration. Save the whole model, not only its weights."))
    if h5py.h5a.open(opened.id, b"model_config").get_space().get_simple_extent_npoints() != 1:
        raise NotTheTutorials(mark("The file doesn’t describe a model of Keras."))
    text = opened.attrs["model_config"]
    if len(text) > MAX_CONFIG:
        raise NotTheTutorials(mark("The file’s model configuration is too long."))
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotTheTutorials(mark("The file doesn’t describe a model of Keras.")) from error


def _is_keras_3(opened: Any) -> bool:
    version = opened.attrs.get("keras_version", "")
    return (version.decode() if isinstance(version, bytes) else str(version)).startswith("3.")


def _weights(group: Any, layer: str, shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
    """Return a layer's weights of these shapes by the last part of their names, wherever below the layer they are."""
    import h5py

    found: dict[str, Any] = {}
    left = MAX_NODES

    def visit(parent: Any, depth: int) -> None:
        nonlocal left
        for name in parent:
            # A group can contain itself, and so be as large as it likes.
            left -= 1
            if left < 0:
                raise NotTheTutorials(
                    mark("The layer %(layer)s has too many parts. Save the model again."), layer=layer[:60]
                )
            # A link could lead to another file of this server.
            if not isinstance(parent.get(name, getlink=True), h5py.HardLink):
                raise NotTheTutorials(mark("The file has links to other files. Save the model again."))
            child = parent[name]
            if isinstance(child, h5py.Group) and depth < 6:
                visit(child, depth + 1)
            elif isinstance(child, h5py.Dataset):
                found[name.removesuffix(":0")] = child

    if not isinstance(group.get(layer, getlink=True), h5py.HardLink):
        raise NotTheTutorials(mark("The file lacks the weights of the layer %(layer)s."), layer=layer[:60])
    visit(group[layer], 0)
    return {name: _array(found, name, shape, layer) for name, shape in shapes.items()}


def _array(found: dict[str, Any], name: str, shape: tuple[int, ...], layer: str) -> Array:
    if name not in found or found[name].shape != shape:
        raise NotTheTutorials(
            mark("In the layer %(layer)s, %(name)s has the shape %(found)s instead of %(expected)s."),
            layer=layer[:60],
            name=name,
            found=found[name].shape if name in found else "–",
            expected=shape,
        )
    dataset = found[name]
    if dataset.dtype.kind != "f" or dataset.external or dataset.is_virtual or dataset.compression not in _FILTERS:
        raise NotTheTutorials(mark("The weights must be floating-point numbers in the file itself."))
    return np.asarray(dataset[()], np.float64)
