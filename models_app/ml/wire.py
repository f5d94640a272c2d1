"""A small network as one file for a browser, in at most 8 MB if need be. Read by static/js/in-browser/wire.js.

The file: "BOT1", the length of the header (uint32), the header in JSON, then each weight at a multiple of 8 bytes. All
numbers are little-endian. The header has the network's configuration, each weight's shape, type and place, and, for a
network of tokens, the content of tokenizer.json. A weight of type int8 or int4 also has a float16 scale for each of its
rows. Two int4 numbers share a byte, the first one in its low half.

Weights are float16, as trained bots are stored, while they fit. A larger network has two files: the usual one, with
matrices in int8 and tables of contexts in int4, and the exact one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.networks.hashed_ngrams import is_table
from models_app.ml.networks.registry import Network, kind_of
from models_app.ml.vocabulary import vocabulary_of

FORMAT: Final = 2
MAX_BYTES: Final = 8_000_000
_MAGIC: Final = b"BOT1"
_ALIGNED: Final = 8
_BITS: Final = {"float16": 16, "int8": 8, "int4": 4}
#: The largest number of each type whose rows have scales.
_LARGEST: Final = {"int8": 127, "int4": 7}


def sizes(config: Network) -> dict[str, int]:
    """Return about how many bytes each file of a network with this configuration has, the usual one first.

    "float16" has the numbers of a trained bot as they're stored. "int8" comes first for a network that needs it.
    """
    shapes = kind_of(config).weight_shapes(config)
    exact = sum(2 * math.prod(shape) for shape in shapes.values())
    if exact <= MAX_BYTES:
        return {"float16": exact}
    rounded = 0
    for name, shape in shapes.items():
        kind = _usual_type(name, len(shape))
        rounded += math.prod(shape) * _BITS[kind] // 8 + (2 * shape[0] if kind in _LARGEST else 0)
    return {"int8": rounded, "float16": exact}


def pack(checkpoint: Checkpoint, *, is_exact: bool) -> bytes:
    """Return the file: with `is_exact` all in float16, else in smaller types. It depends on the checkpoint only."""
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
        kind = "float16" if is_exact else _usual_type(name, array.ndim)
        if kind == "float16":
            entry |= {"type": kind, "at": put(array.astype("<f2"))}
        else:
            scales, values = _rounded(array, _LARGEST[kind])
            entry |= {"type": kind, "scales": put(scales), "at": put(_in_pairs(values) if kind == "int4" else values)}
        tensors[name] = entry
    return _with_header(checkpoint.network, tensors) + b"".join(parts)


def unpack(data: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the weights in a file, as a browser gets them."""
    length = int.from_bytes(data[4:8], "little")
    header = json.loads(data[8 : 8 + length])
    return {name: _read(data, entry) for name, entry in header["tensors"].items()}


def _usual_type(name: str, dimensions: int) -> str:
    """Return the type of a weight in the usual file. Contexts have the most numbers and need the fewest bits."""
    if dimensions < 2:
        return "float16"
    return "int4" if is_table(name) else "int8"


def _rounded(array: NDArray[Any], largest: int) -> tuple[NDArray[np.float16], NDArray[np.int8]]:
    """Return the scale of each row, and the numbers rounded to -`largest` to `largest`."""
    array = array.astype(np.float32)
    # Rounded up, so that the largest number of a row stays within the type.
    scales = np.nextafter((np.abs(array).max(axis=1) / largest).astype("<f2"), np.float16(np.inf))
    values = np.rint(array / scales.astype(np.float32)[:, None])
    return scales, values.clip(-largest, largest).astype(np.int8)


def _in_pairs(values: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return two int4 numbers in each byte."""
    halves = values.ravel().view(np.uint8) & np.uint8(15)
    halves = np.append(halves, np.zeros(halves.size % 2, np.uint8))
    return halves[::2] | halves[1::2] << np.uint8(4)


def _out_of_pairs(pairs: NDArray[np.uint8], size: int) -> NDArray[np.int8]:
    """Return the numbers of `_in_pairs`."""
    halves = np.stack([pairs & 15, pairs >> 4], axis=1).ravel()[:size]
    return (halves ^ 8).astype(np.int8) - np.int8(8)


def _read(data: bytes, entry: Mapping[str, Any]) -> NDArray[np.float32]:
    shape = entry["shape"]
    size = math.prod(shape)
    if entry["type"] == "int4":
        found: NDArray[Any] = _out_of_pairs(np.frombuffer(data, np.uint8, (size + 1) // 2, entry["at"]), size)
    else:
        found = np.frombuffer(data, {"float16": "<f2", "int8": "i1"}[entry["type"]], size, entry["at"])
    values = found.reshape(shape).astype(np.float32)
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
