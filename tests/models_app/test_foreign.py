"""ZIPs with a model of the tutorial: what they unpack is bounded, and each kind of damage has its sentence."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from models_app.base_models import foreign
from models_app.ml.importing.char_lstm import NotTheTutorials
from tests.ml.importing.keras_models import keras_model, old_h5


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    model = old_h5(keras_model(), tmp_path / "model.h5")
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(model, "folder/model.h5")
    return path


def test_a_file_of_keras_can_be_in_a_zip(zipped: Path) -> None:
    assert foreign.is_one(zipped.name, zipped)
    config, weights, noted = foreign.read(zipped)
    assert (config.kind, config.units) == ("lstm", 10) and noted["converted_from"]["symbols"] == 98
    assert weights["kernel"].shape == (6, 40)


@pytest.mark.parametrize("name", ["model.h5", "model.json"])
def test_a_small_zip_that_unpacks_to_much_is_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "MAX_MB", 1)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(1_000_001))
    assert path.stat().st_size < 10_000
    with pytest.raises(NotTheTutorials, match="The limit is 1 MB"):
        foreign.read(path)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("flag_bits", 1, "has a password"),
        ("flag_bits", 0x41, "encrypted in a way"),
        ("compress_type", 97, "compressed or"),
        ("extract_version", 99, "compressed or"),
        ("CRC", 1, "damaged"),
    ],
)
def test_what_cannot_be_unpacked_is_told_apart(zipped: Path, field: str, value: int, said: str) -> None:
    spoil(zipped, field, value)
    with pytest.raises(NotTheTutorials, match=said):
        foreign.read(zipped)


def spoil(path: Path, field: str, value: int) -> None:
    """Write another value into the headers of the only entry, which APPNOTE.TXT of PKWARE describes."""
    # The field's place after the signature of the entry and of the directory, and its size.
    places = {"extract_version": (4, 6, 2), "flag_bits": (6, 8, 2), "compress_type": (8, 10, 2), "CRC": (14, 16, 4)}
    local, central, size = places[field]
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        at = content.index(signature) + place
        content[at : at + size] = value.to_bytes(size, "little")
    path.write_bytes(content)
