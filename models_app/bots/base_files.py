"""Unpacks an uploaded model: two files in a zip, checked before anything is kept. No pickle and no code."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from botfactory.files.zip_files import BadZip, Member, ZipFolder
from models_app.ml import checkpoint
from models_app.ml.errors import CheckpointError, Said, mark
from models_app.ml.networks.registry import Network, config_of, kind_of
from models_app.ml.vocabulary import is_loaded, read, vocabulary_of

LARGEST_MB: Final = 512
_LARGEST_CONFIG: Final = 1_000_000
_LARGEST_TOKENIZER: Final = 20_000_000
#: The header of a safetensors file: names and shapes.
_LARGEST_HEADER: Final = 100_000
_MAX_ENTRIES: Final = 1000


class BadArchive(Said):
    """The zip is invalid; the message says why. Nothing of it was kept."""

    code = "bad_archive"


class NotKept(Said):
    """The zip may be fine, but the disk of this server couldn't take it; the message says what to do."""

    code = "not_kept"


def unpack(file: Path | IO[bytes], folder: Path, *, brings_vocabulary: bool = False) -> str:
    """Unpack a complete checkpoint into `folder`; return the sha256 of its weights. Raises BadArchive and NotKept.

    The vocabulary of a network of tokens must be loaded; with `brings_vocabulary`, it may be in the ZIP instead. That's
    for administrators only: how a tokenizer.json splits words can hold up a process, and what is read stays loaded.
    """
    with _reading(), ZipFolder(file) as archive:
        config, weights, tokenizer = _entries(archive)
        data = b"".join(_chunks(archive, config, _LARGEST_CONFIG))
        content = _content(data)
        network = _network(content)
        if brings_vocabulary and tokenizer is not None and _lacks_vocabulary(network):
            _read_vocabulary(network, b"".join(_chunks(archive, tokenizer, _LARGEST_TOKENIZER)))
        parameters = _parameters(network, brings_vocabulary=brings_vocabulary)
        vocabulary = vocabulary_of(network).to_json() if kind_of(network).has_own_vocabulary else None
        if parameters * 2 > weights.size or weights.size > parameters * 4 + _LARGEST_HEADER:
            raise BadArchive(
                mark(
                    "%(weights)s has %(size)s bytes, which doesn’t fit the %(parameters)s parameters of the network in "
                    "%(config)s."
                ),
                weights=checkpoint.WEIGHTS,
                size=weights.size,
                parameters=parameters,
                config=checkpoint.CONFIG,
            )
        digest = hashlib.sha256()
        try:
            with (folder / checkpoint.WEIGHTS).open("wb") as kept:
                for chunk in _chunks(archive, weights, weights.size):
                    kept.write(chunk)
                    digest.update(chunk)
            (folder / checkpoint.CONFIG).write_bytes(data)
            if vocabulary is not None:
                # Ours, which says the same, and not what came in the ZIP.
                (folder / checkpoint.TOKENIZER).write_text(vocabulary, encoding="utf-8")
        except OSError as error:
            raise NotKept(
                mark(
                    "This server couldn’t store the model: %(reason)s. Ask its operator to free some disk space, then "
                    "upload it again."
                ),
                reason=error.strerror,
            ) from error
    if digest.hexdigest() != content["sha256"]:
        raise BadArchive(
            mark(
                "%(weights)s doesn’t belong to %(config)s: its sha256 is %(found)s, but %(config)s says %(expected)s. "
                "Put both files of the same model into the ZIP."
            ),
            weights=checkpoint.WEIGHTS,
            config=checkpoint.CONFIG,
            found=digest.hexdigest()[:12],
            expected=content["sha256"][:12],
        )
    _require_floats(folder / checkpoint.WEIGHTS)
    try:
        checkpoint.load(folder)
    except CheckpointError as error:
        raise BadArchive(mark("The model in this ZIP is damaged: %(reason)s"), reason=error) from error
    return digest.hexdigest()


def _entries(archive: ZipFolder) -> tuple[Member, Member, Member | None]:
    """Return the entries of config, weights and the tokenizer, if any, from the same folder of the zip.

    Ignores other entries.
    """
    entries = list(islice(archive.members(), _MAX_ENTRIES + 1))
    if len(entries) > _MAX_ENTRIES:
        raise BadArchive(
            mark("This ZIP has more than %(most)s files. Put only the two files of the model into it."),
            most=_MAX_ENTRIES,
        )
    found = []
    for name in (checkpoint.CONFIG, checkpoint.WEIGHTS):
        named = [entry for entry in entries if PurePosixPath(entry.name).name == name]
        if len(named) != 1:
            raise BadArchive(
                mark(
                    "The ZIP must contain %(config)s and %(weights)s once each. It has %(count)s files named %(name)s."
                ),
                config=checkpoint.CONFIG,
                weights=checkpoint.WEIGHTS,
                count=len(named),
                name=name,
            )
        found.append(named[0])
    config, weights = found
    if PurePosixPath(config.name).parent != PurePosixPath(weights.name).parent:
        raise BadArchive(
            mark("%(config)s and %(weights)s must be in the same folder of the ZIP."),
            config=checkpoint.CONFIG,
            weights=checkpoint.WEIGHTS,
        )
    beside = str(PurePosixPath(config.name).with_name(checkpoint.TOKENIZER))
    return config, weights, next((entry for entry in entries if entry.name == beside), None)


def _chunks(archive: ZipFolder, entry: Member, most: int) -> Iterator[bytes]:
    """Yield the entry in chunks. Raises BadArchive for one of more than `most` bytes, and for one with a password."""
    if entry.size > most:
        raise BadArchive(
            mark("%(file)s has %(size)s bytes. The limit is %(most)s."),
            file=entry.name[:100],
            size=entry.size,
            most=most,
        )
    if entry.is_encrypted:
        raise BadArchive(mark("This ZIP has a password. Make it again without one."))
    # No more than the size that the directory names is ever unpacked.
    source = archive.open(entry)
    while chunk := source.read():
        yield chunk


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except BadZip as error:
        raise BadArchive(
            mark("This isn’t a ZIP, or it’s damaged, or compressed in an unusual way. Make it again.")
        ) from error


def _content(data: bytes) -> dict[str, Any]:
    """Return the content of config.json. Raises BadArchive for values that the database can't store."""
    try:
        content = json.loads(data)
        # The database can't store NaN, half surrogate pairs or NULs.
        text = json.dumps(content, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (ValueError, RecursionError) as error:
        raise BadArchive(mark("%(file)s isn’t valid JSON."), file=checkpoint.CONFIG) from error
    if "\\u0000" in text:
        raise BadArchive(mark("%(file)s contains NUL characters."), file=checkpoint.CONFIG)
    if not isinstance(content, dict) or content.get("format") != checkpoint.FORMAT:
        raise BadArchive(
            mark("%(file)s doesn’t describe a model of format %(format)s."),
            file=checkpoint.CONFIG,
            format=checkpoint.FORMAT,
        )
    if not isinstance(content.get("sha256"), str):
        raise BadArchive(mark("%(file)s doesn’t contain the sha256 of the weights."), file=checkpoint.CONFIG)
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
        raise BadArchive(mark("%(file)s isn’t a safetensors file."), file=checkpoint.WEIGHTS) from error
    if others := types - {"F16", "F32"}:
        raise BadArchive(
            mark("%(file)s contains %(types)s. Only F16 and F32 are supported."),
            file=checkpoint.WEIGHTS,
            types=", ".join(sorted(others))[:100],
        )


def _network(content: dict[str, Any]) -> Network:
    try:
        return config_of(content.get("network", {}))
    except ValueError as error:
        raise _unknown(error) from error


def _lacks_vocabulary(network: Network) -> bool:
    return kind_of(network).has_own_vocabulary and not is_loaded(network.vocabulary)


def _read_vocabulary(network: Network, tokenizer: bytes) -> None:
    try:
        read(network.vocabulary, tokenizer.decode())
    except (ValueError, CheckpointError) as error:
        raise _unknown(error) from error


def _unknown(error: Exception) -> BadArchive:
    return BadArchive(
        mark("%(file)s describes a network that this version doesn’t know: %(reason)s"),
        file=checkpoint.CONFIG,
        reason=error,
    )


def _parameters(network: Network, *, brings_vocabulary: bool) -> int:
    """Return the network's number of parameters, computed from its shapes."""
    if _lacks_vocabulary(network):
        if brings_vocabulary:
            raise BadArchive(
                mark("This model reads tokens. Put its %(file)s into the ZIP, too."), file=checkpoint.TOKENIZER
            )
        raise BadArchive(
            mark(
                "This bot reads tokens of a base model that isn’t on this server. Ask its administrator to upload that "
                "base model, then import the ZIP again."
            )
        )
    shapes = kind_of(network).weight_shapes(network)
    count = sum(math.prod(shape) for shape in shapes.values())
    if count * 4 > LARGEST_MB * 1_000_000:
        raise BadArchive(
            mark("The network has %(count)s parameters, which is too large. The limit is %(most)s MB in 32 bits."),
            count=count,
            most=LARGEST_MB,
        )
    return count
