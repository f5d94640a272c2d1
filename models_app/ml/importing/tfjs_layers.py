"""Reads the tutorial's network from a TensorFlow.js layers model: model.json and its files of weights."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from models_app.ml.errors import mark

from .char_lstm import MAX_PARAMETERS, Array, Layers, NotTheTutorials, layers_of

MODEL: Final = "model.json"
_TYPES: Final = {"float32": "<f4", "float16": "<f2", "uint8": "u1", "uint16": "<u2"}


def read_layers_model(read: Callable[[str], bytes]) -> tuple[Layers, dict[str, dict[str, Array]]]:
    """Return the layers, and the weights by kind of layer and name. `read` returns a file beside model.json.

    Raises NotTheTutorials, and what `read` raises.
    """
    try:
        content = json.loads(read(MODEL))
        layers = layers_of(content["modelTopology"])
        found = _tensors(content["weightsManifest"], read)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, NotTheTutorials):
            raise
        raise NotTheTutorials(mark("model.json doesn’t describe a layers model of TensorFlow.js.")) from error
    return layers, {
        kind: {name: _of(found, layers.names[kind], name, shape) for name, shape in shapes.items()}
        for kind, shapes in layers.shapes.items()
    }


def _tensors(manifest: Any, read: Callable[[str], bytes]) -> dict[tuple[str, str], Array]:
    """Return the tensors by the first and last part of their names."""
    found: dict[tuple[str, str], Array] = {}
    count = 0
    for group in manifest:
        data, at = b"".join(read(str(path)) for path in group["paths"]), 0
        for entry in group["weights"]:
            shape, packed = tuple(entry["shape"]), entry.get("quantization") or {}
            if not all(isinstance(size, int) and 0 < size <= 2**20 for size in shape):
                raise NotTheTutorials(mark("model.json doesn’t describe a layers model of TensorFlow.js."))
            size = math.prod(shape)
            count += size
            kind = np.dtype(_TYPES[packed.get("dtype") or entry["dtype"]])
            if count > MAX_PARAMETERS or at + size * kind.itemsize > len(data):
                raise NotTheTutorials(mark("The files of weights are shorter than model.json says."))
            with np.errstate(invalid="ignore"):  # `over_bytes` finds numbers that aren't finite
                array = np.frombuffer(data, kind, size, at).reshape(shape).astype(np.float64)
            at += size * kind.itemsize
            if kind.kind == "u":
                array = array * float(packed["scale"]) + float(packed["min"])
            parts = str(entry["name"]).split("/")
            found[parts[0], parts[-1]] = array
    return found


def _of(found: Mapping[tuple[str, str], Array], layer: str, name: str, shape: tuple[int, ...]) -> Array:
    array = found.get((layer, name))
    if array is None or array.shape != shape:
        raise NotTheTutorials(
            mark("In the layer %(layer)s, %(name)s has the shape %(found)s instead of %(expected)s."),
            layer=layer[:60],
            name=name,
            found="–" if array is None else array.shape,
            expected=shape,
        )
    return array
