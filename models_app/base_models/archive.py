"""Unpacks an uploaded model: two files in a zip, checked before anything is kept. No pickle and no code."""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from models_app.ml import checkpoint
from models_app.ml.config import NetworkConfig
from models_app.ml.errors import CheckpointError
from models_app.ml.networks.registry import kind_of

LARGEST_MB: Final = 512
_LARGEST_CONFIG: Final = 1_000_000
#: The header of a safetensors file: names and shapes.
_LARGEST_HEADER: Final = 100_000
_MAX_ENTRIES: Final = 1000
_CHUNK: Final = 1 << 20


class BadArchive(Exception):
    """The zip is invalid; the message says why. Nothing of it was kept."""

    code = "bad_archive"


def unpack(file: IO[bytes], folder: Path) -> str:
    """Unpack a complete checkpoint into `folder`; return the sha256 of its weights. Raises BadArchive."""
    try:
        with zipfile.ZipFile(file) as archive:
            config, weights = _entries(archive)
            data = _read(archive, config, _LARGEST_CONFIG)
            content = _content(data)
            parameters = _parameters(content)
            if parameters * 2 > weights.file_size or weights.file_size > parameters * 4 + _LARGEST_HEADER:
                raise BadArchive(
                    f"{checkpoint.WEIGHTS} has {weights.file_size:,} bytes, which are not the {parameters:,} numbers "
                    f"of the network in {checkpoint.CONFIG} in 16 or 32 bits."
                )
            digest = hashlib.sha256()

            def take(chunk: bytes) -> None:
                kept.write(chunk)
                digest.update(chunk)

            with (folder / checkpoint.WEIGHTS).open("wb") as kept:
                _each(archive, weights, weights.file_size, take)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        # zipfile raises NotImplementedError for an unknown compression method.
        raise BadArchive(f"This is not a zip that can be read: {error}.") from error
    except RuntimeError as error:
        # zipfile raises RuntimeError for an encrypted zip.
        raise BadArchive(f"This zip cannot be read: {error}.") from error
    if digest.hexdigest() != content["sha256"]:
        raise BadArchive(
            f"The weights are not those that {checkpoint.CONFIG} describes: their sha256 is {digest.hexdigest()[:12]}, "
            f"and {content['sha256'][:12]!r} stands there. Bring the two files of one model."
        )
    _require_floats(folder / checkpoint.WEIGHTS)
    (folder / checkpoint.CONFIG).write_bytes(data)
    try:
        checkpoint.load(folder)
    except CheckpointError as error:
        raise BadArchive(str(error).replace(str(folder), "the zip")) from error
    return digest.hexdigest()


def _entries(archive: zipfile.ZipFile) -> tuple[zipfile.ZipInfo, zipfile.ZipInfo]:
    """Return the entries of config and weights, from the same folder of the zip. Ignores other entries."""
    entries = archive.infolist()
    if len(entries) > _MAX_ENTRIES:
        raise BadArchive(f"This zip has {len(entries):,} entries, and a model is two files.")
    found = []
    for name in (checkpoint.CONFIG, checkpoint.WEIGHTS):
        named = [entry for entry in entries if PurePosixPath(entry.filename).name == name and not entry.is_dir()]
        if len(named) != 1:
            raise BadArchive(
                f"A model is {checkpoint.CONFIG} and {checkpoint.WEIGHTS}: the zip has {len(named)} {name}."
            )
        found.append(named[0])
    config, weights = found
    if PurePosixPath(config.filename).parent != PurePosixPath(weights.filename).parent:
        raise BadArchive(f"{checkpoint.CONFIG} and {checkpoint.WEIGHTS} have to lie in the same folder of the zip.")
    return config, weights


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    parts: list[bytes] = []
    _each(archive, entry, most, parts.append)
    return b"".join(parts)


def _each(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int, take: Callable[[bytes], object]) -> None:
    """Pass the entry to `take` chunk by chunk. Raises BadArchive as soon as it unpacks to more than `most` bytes."""
    if entry.file_size > most:
        raise BadArchive(f"{entry.filename[:100]} has {entry.file_size:,} bytes; {most:,} are the most.")
    size = 0
    with archive.open(entry) as source:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise BadArchive(f"{entry.filename[:100]} unpacks to more than {most:,} bytes.")
            take(chunk)


def _content(data: bytes) -> dict[str, Any]:
    """Return the content of config.json. Raises BadArchive for values that the database can't store."""
    try:
        content = json.loads(data)
        # The database can't store NaN, half surrogate pairs or NULs.
        text = json.dumps(content, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (ValueError, RecursionError) as error:
        raise BadArchive(f"{checkpoint.CONFIG} cannot be read: {error}.") from error
    if "\\u0000" in text:
        raise BadArchive(f"{checkpoint.CONFIG} holds NUL characters.")
    if not isinstance(content, dict) or content.get("format") != checkpoint.FORMAT:
        raise BadArchive(f"{checkpoint.CONFIG} is not that of a model of format {checkpoint.FORMAT}.")
    if not isinstance(content.get("sha256"), str):
        raise BadArchive(f"{checkpoint.CONFIG} does not say the sha256 of the weights.")
    return content


def _require_floats(weights: Path) -> None:
    """Raise BadArchive unless the file is safetensors with 16-bit or 32-bit floats."""
    with weights.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = file.read(size) if size <= _LARGEST_HEADER else b""
    try:
        tensors = {name: tensor for name, tensor in json.loads(header).items() if name != "__metadata__"}
        types = {str(tensor["dtype"]) for tensor in tensors.values()}
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise BadArchive(f"{checkpoint.WEIGHTS} is not a file of safetensors.") from error
    if others := types - {"F16", "F32"}:
        raise BadArchive(f"{checkpoint.WEIGHTS} holds {', '.join(sorted(others))[:100]}; F16 and F32 can be read.")


def _parameters(content: dict[str, Any]) -> int:
    """Return the network's number of parameters, computed from its shapes."""
    try:
        network = NetworkConfig.from_dict(content.get("network", {}))
    except ValueError as error:
        raise BadArchive(f"{checkpoint.CONFIG} describes no network of this version: {error}") from error
    count = sum(math.prod(shape) for shape in kind_of(network).weight_shapes(network).values())
    if count * 4 > LARGEST_MB * 1_000_000:
        raise BadArchive(f"A network of {count:,} numbers is too large: at most {LARGEST_MB} MB in 32 bits.")
    return count
