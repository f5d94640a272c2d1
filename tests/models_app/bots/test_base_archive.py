"""An uploaded base model is checked before anything is stored, and the error says what is wrong."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile

from botfactory.accounts.models import User
from models_app.bases import services as bases
from models_app.bots import base_files as base_archive
from models_app.bots import files as model_files
from models_app.bots import loading, registry, versions
from models_app.bots.base_files import BadArchive, NotKept, unpack
from models_app.bots.rows import TrainedModel
from models_app.ml import checkpoint
from models_app.ml.networks.registry import small_network
from models_app.ml.vocabulary import registry as vocabularies
from models_app.ml.vocabulary.learning import learned
from models_app.your_data import bots
from tests.conftest import signed_in
from tests.ml.conftest import TINY_TOKENS, TOKENS, random_checkpoint
from tests.product import save_small_base

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def files(base: TrainedModel, tmp_path: Path) -> dict[str, bytes]:
    """The two files of another model."""
    save_small_base(tmp_path, units=24)
    return {name: (tmp_path / "base" / name).read_bytes() for name in (checkpoint.CONFIG, checkpoint.WEIGHTS)}


def zipped(files: Mapping[str, bytes]) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    made.seek(0)
    return made


def nothing_kept() -> bool:
    folder = Path(settings.CHECKPOINTS_DIR) / versions.VERSIONS_DIRECTORY
    return TrainedModel.objects.count() == 1 and [path.name for path in folder.iterdir()] == [
        str(TrainedModel.objects.get().pk)
    ]


def test_a_zip_becomes_a_version_that_nobody_starts_from_yet(files: dict[str, bytes], base: TrainedModel) -> None:
    model = bases.upload(zipped({**files, "notes/README.md": b"hello"}), name="  Mine   large")
    assert (model.name, model.origin, model.is_base) == ("Mine large", "uploaded", False)
    assert small_network(loading.load(model).network).units == 24
    assert versions.base_model() == base
    assert {path.name for path in model_files.path_of(model).iterdir()} == {checkpoint.CONFIG, checkpoint.WEIGHTS}
    with pytest.raises(BadArchive, match="already uploaded as Mine large"):
        bases.upload(zipped(files), name="again")


def test_the_two_files_may_lie_in_a_folder(files: dict[str, bytes]) -> None:
    assert bases.upload(zipped({f"base-large/{name}": data for name, data in files.items()}), name="").name == "base 2"


@pytest.fixture
def of_tokens(base: TrainedModel, tmp_path: Path) -> dict[str, bytes]:
    """The files of a model of tokens. Its tokenizer.json isn't written as we write it, though it says the same."""
    folder = tmp_path / "tokens"
    checkpoint.save(folder, network=TINY_TOKENS, weights=random_checkpoint(TINY_TOKENS).weights, meta={})
    names = (checkpoint.CONFIG, checkpoint.WEIGHTS, checkpoint.TOKENIZER)
    files = {name: (folder / name).read_bytes() for name in names}
    return {**files, checkpoint.TOKENIZER: json.dumps(json.loads(files[checkpoint.TOKENIZER]), indent=2).encode()}


def test_an_administrator_brings_the_vocabulary_of_a_model_of_tokens(
    of_tokens: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(vocabularies._loaded, TOKENS.name)
    without = {name: data for name, data in of_tokens.items() if name != checkpoint.TOKENIZER}
    network = json.loads(of_tokens[checkpoint.CONFIG])["network"]
    unlearned = {checkpoint.CONFIG: config_of(of_tokens, network=network | {"vocabulary": "bpe-of-600"})}
    of_another = of_tokens | {checkpoint.TOKENIZER: learned(["other posts"] * 9, 600).to_json().encode()}
    for files, sentence in [
        (without, r"Put its tokenizer\.json into the ZIP"),
        (of_another, f"not {TOKENS.name}"),
        (of_tokens | unlearned, "not bpe-of-600"),
        (of_tokens | {checkpoint.TOKENIZER: b"\xff"}, "describes a network"),
        (of_tokens | {checkpoint.TOKENIZER: b" " * 20_000_001}, "The limit is"),
    ]:
        with pytest.raises(BadArchive, match=sentence):
            bases.upload(zipped(files), name="")
        assert nothing_kept() and TOKENS.name not in vocabularies._loaded
    model = bases.upload(zipped({f"folder/{name}": data for name, data in of_tokens.items()}), name="Tokens")
    assert loading.load(model).network == TINY_TOKENS
    assert (model_files.path_of(model) / checkpoint.TOKENIZER).read_text() == TOKENS.to_json()


def test_nobody_else_brings_a_vocabulary(
    of_tokens: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could hold up every process that reads it."""
    file, staged = tmp_path / "bot.zip", tmp_path / "staged"
    staged.mkdir()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in of_tokens.items():
            archive.writestr(name, data)
    monkeypatch.delitem(vocabularies._loaded, TOKENS.name)
    with pytest.raises(BadArchive, match="a base model that isn’t on this server"):
        bots._unpack(file, staged)
    assert TOKENS.name not in vocabularies._loaded and list(staged.iterdir()) == []
    # With the base model, it's that one's.
    bases.upload(zipped(of_tokens), name="Tokens")
    monkeypatch.delitem(vocabularies._loaded, TOKENS.name)
    assert bots._unpack(file, staged) == json.loads(of_tokens[checkpoint.CONFIG])["sha256"]
    assert (staged / checkpoint.TOKENIZER).read_text() == TOKENS.to_json()


def config_of(files: dict[str, bytes], **changed: Any) -> bytes:
    return json.dumps({**json.loads(files[checkpoint.CONFIG]), **changed}).encode()


def tensors(kind: str, size: int, count: int) -> bytes:
    header = json.dumps({"a": {"dtype": kind, "shape": [count], "data_offsets": [0, size * count]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size * count)


def test_what_is_no_model_is_told_and_nothing_of_it_is_kept(files: dict[str, bytes]) -> None:
    config, weights = checkpoint.CONFIG, checkpoint.WEIGHTS
    network = json.loads(files[config])["network"]
    nan = files[config].replace(b'"meta": {', b'"meta": {"loss": NaN, ')
    infinite = files[config].replace(b'"meta": {', b'"meta": {"loss": 1e999, ')
    damaged = bytearray(files[weights])
    damaged[-3] ^= 1
    count = len(files[weights]) // 4
    bfloat = tensors("BF16", 2, count)
    garbage = b"x" * len(bfloat)
    cases: list[tuple[Mapping[str, bytes], str]] = [
        ({}, "It has 0 files named config.json"),
        ({config: files[config]}, "It has 0 files named weights.safetensors"),
        ({**files, "other/config.json": b"{}"}, "It has 2 files named config.json"),
        ({f"a/{config}": files[config], f"b/{weights}": files[weights]}, "in the same folder"),
        ({**files, config: b"\x80\x04pickle"}, "isn’t valid JSON"),
        ({**files, config: b"[" * 200_000}, "isn’t valid JSON"),
        ({**files, config: b"[]"}, "format 1"),
        ({**files, config: nan}, "isn’t valid JSON"),
        ({**files, config: infinite}, "isn’t valid JSON"),
        ({**files, config: config_of(files, meta={"name": "a\x00b"})}, "NUL"),
        ({**files, config: config_of(files, meta={"name": "\ud83d"})}, "isn’t valid JSON"),
        ({**files, config: config_of(files, format=2)}, "format 1"),
        ({**files, config: config_of(files, sha256=7)}, "doesn’t contain the sha256"),
        ({**files, config: config_of(files, sha256="0" * 64)}, "doesn’t belong to config.json"),
        (
            {**files, config: config_of(files, network={"kind": "transformer"})},
            "a network that this version doesn’t know",
        ),
        ({**files, config: config_of(files, network=7)}, "a network that this version doesn’t know"),
        (
            {**files, config: config_of(files, network={"vocabulary": f"bpe-{'0' * 16}"})},
            "Put its tokenizer.json into the ZIP",
        ),
        ({**files, config: config_of(files, network={**network, "units": 8192})}, "too large"),
        ({**files, config: config_of(files, network={**network, "units": 25})}, "kernel has shape"),
        ({**files, weights: bytes(damaged)}, "doesn’t belong to config.json"),
        ({**files, weights: b"PK" * 10}, "which doesn’t fit the"),
        ({**files, config: b" " * 1_000_001}, "The limit is 1,000,000"),
        (
            {weights: bfloat, config: config_of(files, sha256=hashlib.sha256(bfloat).hexdigest())},
            "contains BF16. Only F16 and F32",
        ),
        (
            {weights: garbage, config: config_of(files, sha256=hashlib.sha256(garbage).hexdigest())},
            "t a safetensors file",
        ),
        ({**files, **{f"{number}.txt": b"" for number in range(1000)}}, "more than 1,000 files"),
    ]
    for content, sentence in cases:
        with pytest.raises(BadArchive, match=sentence):
            bases.upload(zipped(content), name="")
        assert nothing_kept(), sentence


def test_a_full_disk_is_not_told_as_a_bad_zip(files: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").symlink_to("/dev/full")
    with pytest.raises(NotKept, match=r"couldn’t store the model: No space left .* upload it again"):
        unpack(zipped(files), tmp_path)


def test_damaged_and_lying_zips_are_told(files: dict[str, bytes]) -> None:
    whole = zipped(files).getvalue()
    lying = bytearray(whole)
    # The directory of the zip says that config.json unpacks to ten bytes.
    at = lying.rindex(b"PK\x01\x02", 0, lying.index(b"PK\x01\x02") + 4)
    lying[at + 24 : at + 28] = struct.pack("<I", 10)
    for data in (b"", b"no zip", whole[: len(whole) // 2], bytes(lying)):
        with pytest.raises(BadArchive):
            bases.upload(io.BytesIO(data), name="")
        assert nothing_kept()
    sizes = set()
    date = 10  # in the first header
    for place in (date, *range(0, len(whole), max(1, len(whole) // 200))):
        flipped = bytearray(whole)
        flipped[place] ^= 0xFF
        with suppress(BadArchive):
            made = bases.upload(io.BytesIO(bytes(flipped)), name="")
            # The changed byte has no meaning.
            sizes.add(small_network(loading.load(made).network).units)
            registry.delete(made)
        assert nothing_kept(), place
    assert sizes == {24}


def test_the_page_takes_the_zip_and_tells_what_is_wrong(
    files: dict[str, bytes], admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = signed_in(admin)
    address = "/admin/base-models/upload"
    assert desk.get(address).status_code == 200

    def send(data: bytes, name: str = "large.zip") -> Any:
        return desk.post(address, {"archive": SimpleUploadedFile(name, data), "name": ""})

    answer = send(b"no zip")
    assert answer.status_code == 400 and "This isn’t a ZIP, or it’s damaged" in answer.content.decode()
    assert desk.post(address, {}).status_code == 400
    assert "posts.txt isn’t a base model. Upload a ZIP" in send(b"no zip", "posts.txt").content.decode()
    for changed, value, sentence in ((10, 12, "compressed in an unusual way"), (8, 1, "has a password")):
        other = bytearray(zipped(files).getvalue())
        # How its first entry is compressed, or its flags.
        other[other.index(b"PK\x01\x02") + changed] = value
        answer = send(bytes(other))
        assert answer.status_code == 400 and sentence in answer.content.decode()
    assert send(zipped(files).getvalue()).status_code == 302
    assert "large" in desk.get("/admin/base-models/").content.decode()
    assert "already uploaded" in send(zipped(files).getvalue(), "large").content.decode()
    monkeypatch.setattr(base_archive, "LARGEST_MB", 0)
    assert "The limit is 0 MB" in send(zipped(files).getvalue()).content.decode()
