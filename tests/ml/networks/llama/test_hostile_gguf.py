"""GGUF files that claim or contain too much: each is refused with a sentence, and reading it takes little memory."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import pytest
from gguf import GGMLQuantizationType, GGUFValueType

from models_app.ml.networks.llama.gguf_file import read_gguf
from models_app.ml.networks.llama.pretrained import PretrainedError

MB = 1 << 20
STRING, ARRAY, UINT8 = GGUFValueType.STRING, GGUFValueType.ARRAY, GGUFValueType.UINT8


def text(content: bytes) -> bytes:
    return struct.pack("<Q", len(content)) + content


def field(name: str, kind: GGUFValueType, value: bytes) -> bytes:
    return text(name.encode()) + struct.pack("<I", kind) + value


def array(kind: GGUFValueType, count: int, values: bytes) -> bytes:
    return struct.pack("<IQ", kind, count) + values


def tensor(name: str, *dims: int, offset: int = 0) -> bytes:
    shape = struct.pack(f"<I{len(dims)}Q", len(dims), *dims)
    return text(name.encode()) + shape + struct.pack("<IQ", GGMLQuantizationType.F32, offset)


def gguf(*fields: bytes, tensors: tuple[bytes, ...] = (), rest: bytes = b"") -> bytes:
    return struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(fields)) + b"".join((*fields, *tensors)) + rest


BYTES = field("numbers", ARRAY, array(UINT8, 2 * MB, bytes(2 * MB)))
NESTED = array(ARRAY, 1, b"") * 100_000
NAMES = [f"{number:x}" for number in range(100_000)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(gguf(BYTES), "the architecture None", id="2 million bytes"),
        pytest.param(
            gguf(field("texts", ARRAY, array(STRING, 20_000, bytes(160_000)))), "the architecture None", id="texts"
        ),
        pytest.param(
            gguf(field("texts", ARRAY, array(STRING, 1, text(bytes(17 * MB))))), "more text than", id="a long text"
        ),
        pytest.param(
            gguf(field("texts", ARRAY, array(STRING, 20_000, text(bytes(900)) * 20_000))),
            "more text than",
            id="too many texts",
        ),
        pytest.param(gguf(field("text", STRING, text(bytes(17 * MB)))), "more text than", id="a long value"),
        pytest.param(gguf(field("nested", ARRAY, NESTED)), "array of arrays", id="nested arrays"),
        pytest.param(gguf(field("numbers", ARRAY, array(UINT8, 2**64 - 1, b""))), "too early", id="an array cut off"),
        pytest.param(gguf(field("texts", ARRAY, array(STRING, 2**64 - 1, b""))), "too early", id="texts cut off"),
        pytest.param(gguf(field("text", STRING, struct.pack("<Q", 9) + b"short")), "too early", id="a text cut off"),
        pytest.param(gguf(*(field(name, UINT8, b"1") for name in NAMES)), "too many fields", id="many fields"),
        pytest.param(gguf(tensors=tuple(map(tensor, NAMES))), "too many tensors", id="many tensors"),
        pytest.param(
            gguf(tensors=(tensor("first", MB), tensor("second", MB)), rest=bytes(4 * MB + 64)),
            "share their bytes",
            id="two tensors of the same bytes",
        ),
        pytest.param(gguf(tensors=(tensor("far", 1, offset=2**64 - 1),)), "overflow", id="a tensor far away"),
        pytest.param(gguf(tensors=(tensor("wide", 2**40),)), "too early", id="a tensor cut off"),
        pytest.param(gguf(tensors=(tensor("odd", 2**63, 2),)), "isn’t a readable GGUF file", id="overflowing shape"),
        pytest.param(gguf(tensors=(tensor("deep", *[1] * 90),)), "isn’t a readable GGUF file", id="many dimensions"),
    ],
)
def test_a_file_that_claims_too_much_is_refused_in_little_memory(content: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(PretrainedError, match=sentence):
            read_gguf(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 48 * MB
