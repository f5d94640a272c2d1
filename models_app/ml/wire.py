"""A small network as one file for a browser, in at most 8 MB if need be. Read by static/js/in-browser/wire.js.

The file: "BOT1", the length of the header (uint32), the header in JSON, then each weight at a multiple of 8 bytes. All
numbers are little-endian. The header has the network's configuration, each weight's shape, type and place, and, for a
network of tokens, the content of tokenizer.json. A weight of type int8 also has a float16 scale for each of its rows.

Weights are float16, as trained bots are stored, while they fit. A larger network has two files: the usual one, with
matrices in int8, and the exact one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.networks.registry import Network, kind_of
from models_app.ml.vocabulary import vocabulary_of

FORMAT: Final = 1
MAX_BYTES: Final = 8_000_000
_MAGIC: Final = b"BOT1"
_ALIGNED: Final = 8
_LARGEST: Final = 127


def sizes(config: Network) -> dict[str, int]:
    """Return about how many bytes each file of a network with this configuration has, the usual one first.

    "float16" has the numbers of a trained bot as they're stored. "int8" comes first for a network that needs it.
    """
    shapes = kind_of(config).weight_shapes(config).values()
    exact = sum(2 * math.prod(shape) for shape in shapes)
    if exact <= MAX_BYTES:
        return {"float16": exact}
    rounded = sum(math.prod(shape) + 2 * shape[0] if len(shape) > 1 else 2 * shape[0] for shape in shapes)
    return {"int8": rounded, "float16": exact}


def pack(checkpoint: Checkpoint, *, is_exact: bool) -> bytes:
    """Return the file: with `is_exact` all in float16, else matrices in int8. It depends on the checkpoint only."""
    weights = checkpoint.weights
    tensors: dict[str, dict[str, Any]] = {}
    parts: list[bytes] = []
    at = 0

    def put(array: NDArray[Any]) -> int:
        nonlocal at
        begin, data = at, np.ascontiguousarray(array).tobytes()
        parts.append(data + bytes(-len(data) % _ALIGNED))
        at += len(parts[-1])
        return begin

    for name, array in sorted(weights.items()):
        entry: dict[str, Any] = {"shape": list(array.shape)}
        if is_exact or array.ndim < 2:
            entry |= {"type": "float16", "at": put(array.astype("<f2"))}
        else:
            scales, values = _rounded(array)
            entry |= {"type": "int8", "scales": put(scales), "at": put(values)}
        tensors[name] = entry
    return _with_header(checkpoint.network, tensors) + b"".join(parts)


def unpack(data: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the weights in a file, as a browser gets them."""
    length = int.from_bytes(data[4:8], "little")
    header = json.loads(data[8 : 8 + length])
    return {name: _read(data, entry) for name, entry in header["tensors"].items()}


def _rounded(array: NDArray[Any]) -> tuple[NDArray[np.float16], NDArray[np.int8]]:
    """Return the scale of each row, and the rounded numbers."""
    array = array.astype(np.float32)
    # Rounded up, so that the largest number of a row stays within int8.
    scales = np.nextafter((np.abs(array).max(axis=1) / _LARGEST).astype("<f2"), np.float16(np.inf))
    values = np.rint(array / scales.astype(np.float32)[:, None])
    return scales, values.clip(-_LARGEST, _LARGEST).astype(np.int8)


def _read(data: bytes, entry: Mapping[str, Any]) -> NDArray[np.float32]:
    shape = entry["shape"]
    kind = {"float16": "<f2", "int8": "i1"}[entry["type"]]
    values = np.frombuffer(data, kind, int(np.prod(shape)), entry["at"]).reshape(shape).astype(np.float32)
    if "scales" in entry:
        values *= np.frombuffer(data, "<f2", shape[0], entry["scales"]).astype(np.float32)[:, None]
    return values


def _with_header(network: Network, tensors: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return the beginning of the file, in which the places of the tensors count from the start of the file."""
    about: dict[str, Any] = {"format": FORMAT, "network": network.as_dict()}
    tokenizer = vocabulary_of(network).to_json()
    if tokenizer is not None:
        about["tokenizer"] = json.loads(tokenizer)
    begin = 0
    while True:
        moved = {
            name: {key: value + begin if key in ("at", "scales") else value for key, value in entry.items()}
            for name, entry in tensors.items()
        }
        text = json.dumps(about | {"tensors": moved}).encode()
        text += b" " * (-(len(_MAGIC) + 4 + len(text)) % _ALIGNED)
        size = len(_MAGIC) + 4 + len(text)
        if size == begin:
            return _MAGIC + len(text).to_bytes(4, "little") + text
        begin = size
