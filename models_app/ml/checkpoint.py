"""Models on disk: a directory with `weights.safetensors` and `config.json`, written atomically. No pickle.

A network that doesn't read bytes has its vocabulary beside them, in `tokenizer.json`. The adapter of a pretrained model
has neither that model's vocabulary nor its weights; they are kept once (`networks.llama.store`). A fluent bot has
`phrases.safetensors`, too. It's left out where others get the weights, so a model without it is complete.

Not every platform can replace a directory in one system call, so saving renames twice: first the old directory to
`.NAME.old`, then the new one into place. Between the two, readers fall back to `.NAME.old`. After a kill there, the
next save (or `recover`) restores order.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from .errors import CheckpointError, mark
from .networks.llama.config import LlamaConfig
from .networks.phrases import BadPhrases, Phrases, Recalling
from .networks.registry import Network, Stepper, config_of, kind_of
from .vocabulary import is_loaded, read, vocabulary_of

FORMAT: Final = 1
WEIGHTS: Final = "weights.safetensors"
CONFIG: Final = "config.json"
TOKENIZER: Final = "tokenizer.json"
PHRASES: Final = "phrases.safetensors"
#: The bytes of the largest file of phrases. Those of `MAX_SYMBOLS` symbols take 5 MB at most.
_MAX_PHRASES: Final = 8_000_000
_TRIES: Final = 3
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network, its weights (read-only, by name), free-form `meta`, and the sha256 of the weights file.

    Weights are float32, unless they were loaded with `as_stored`. phrases: those of a fluent bot's person.
    """

    network: Network
    weights: dict[str, NDArray[Any]]
    meta: dict[str, Any]
    sha256: str
    phrases: Phrases | None = None

    def stepper(self) -> Stepper:
        """Return what writes and evaluates. Raises PretrainedError if the pretrained model isn't there."""
        stepper = kind_of(self.network).stepper(self.network, self.weights)
        return stepper if self.phrases is None else Recalling(stepper, self.phrases, vocabulary_of(self.network).end)


def save(
    directory: Path,
    *,
    network: Network,
    weights: Mapping[str, NDArray[Any]],
    meta: Mapping[str, Any],
    half: bool = False,
    phrases: Phrases | None = None,
) -> Checkpoint:
    """Save a checkpoint atomically and return it: readers see the old or the new one, never a mix.

    With `half`, the file holds float16 and takes half the space; the returned weights are float32 with the same rounded
    values, as `load` would return them. Other files in the directory are kept. Raises CheckpointError for weights that
    don't fit the network or that overflow float16.
    """
    stored = np.float16 if half else np.float32
    with np.errstate(over="ignore"):
        kept = {name: np.ascontiguousarray(array, stored) for name, array in weights.items()}
    arrays = {name: np.asarray(array, np.float32) for name, array in kept.items()}
    _check_weights(network, arrays, directory / WEIGHTS)
    data = save_tensors(kept)
    sha256 = hashlib.sha256(data).hexdigest()
    content = {"format": FORMAT, "network": network.as_dict(), "sha256": sha256, "meta": dict(meta)}
    counted = b"" if phrases is None else phrases.to_bytes()
    if counted:
        content["phrases"] = hashlib.sha256(counted).hexdigest()
    text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"

    directory.parent.mkdir(parents=True, exist_ok=True)
    recover(directory)
    staged = Path(tempfile.mkdtemp(prefix=f".{directory.name}.new-", dir=directory.parent))
    try:
        staged.chmod(0o755)
        write_durably(staged / WEIGHTS, data)
        write_durably(staged / CONFIG, text.encode())
        if counted:
            write_durably(staged / PHRASES, counted)
        if kind_of(network).has_own_vocabulary and (vocabulary := vocabulary_of(network).to_json()) is not None:
            write_durably(staged / TOKENIZER, vocabulary.encode())
        _sync_directory(staged)
        if directory.exists():
            directory.rename(_aside(directory))
        staged.rename(directory)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        recover(directory)
        raise
    recover(directory)
    _sync_directory(directory.parent)
    return Checkpoint(network, _frozen(arrays), dict(meta), sha256, phrases)


def load(directory: Path, *, as_stored: bool = False) -> Checkpoint:
    """Return the verified checkpoint in the directory. Raises CheckpointError if it's missing or damaged.

    With `as_stored`, float16 weights stay float16, which is faster and takes less memory. Use it for a Stepper, which
    converts the weights it multiplies to float32 and only looks up the rest.
    """
    return _read(directory, partial(_load_once, as_stored=as_stored))


def describe(directory: Path) -> dict[str, Any]:
    """Return the content of config.json without reading the weights. Raises CheckpointError if it can't be read."""
    return _read(directory, _describe_once)


def read_vocabulary(directory: Path, network: Network) -> None:
    """Register the vocabulary that a network in the directory has there, if it has one. Raises CheckpointError.

    `load` does this, too. It's for those who need to know the network without its weights.
    """
    if not kind_of(network).has_own_vocabulary or is_loaded(network.vocabulary):
        return
    try:
        text = (directory / TOKENIZER).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CheckpointError(
            mark("There is no readable model in %(directory)s: %(reason)s."), directory=directory, reason=error
        ) from error
    read(network.vocabulary, text)


def is_there(directory: Path) -> bool:
    """Return whether the directory has a model, which a running save may just have set aside."""
    # The third look is for a save that ended between the first two.
    return any((place / CONFIG).exists() for place in (directory, _aside(directory), directory))


def recover(directory: Path) -> None:
    """Repair the directory after a save that was killed half-way. No other save of it may be running."""
    for staged in directory.parent.glob(f".{glob.escape(directory.name)}.new-*"):
        shutil.rmtree(staged, ignore_errors=True)
    aside = _aside(directory)
    if not aside.exists():
        return
    if not directory.exists():
        aside.rename(directory)
        return
    for entry in aside.iterdir():
        if entry.name not in (WEIGHTS, CONFIG, PHRASES) and not (directory / entry.name).exists():
            entry.rename(directory / entry.name)
    shutil.rmtree(aside)


def write_durably(path: Path, data: bytes) -> None:
    """Write the data and flush it to the disk, not only to the page cache."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _aside(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.old")


def _read(directory: Path, once: Callable[[Path], _Read]) -> _Read:
    """Return what `once` reads from the directory, or from the old one that a running save has set aside."""
    # A save that swaps the directory during the read causes an error; the next try succeeds.
    for attempt in range(_TRIES):
        place = directory if directory.exists() or not _aside(directory).exists() else _aside(directory)
        try:
            return once(place)
        except (CheckpointError, OSError) as error:
            if attempt == _TRIES - 1:
                if isinstance(error, CheckpointError):
                    raise
                raise CheckpointError(
                    mark("There is no readable model in %(directory)s: %(reason)s."), directory=directory, reason=error
                ) from error
        time.sleep(0.01)
    raise AssertionError("unreachable")


def _describe_once(directory: Path) -> dict[str, Any]:
    path = directory / CONFIG
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(mark("%(file)s isn’t valid JSON. Restore the model from a backup."), file=path) from error
    found = content.get("format") if isinstance(content, dict) else None
    if not isinstance(found, int) or (found == FORMAT and not _is_complete(content)):
        raise CheckpointError(
            mark("%(file)s doesn’t describe a model of Bot Factory. Restore the model from a backup."), file=path
        )
    if found != FORMAT:
        raise CheckpointError(
            mark("%(file)s has format %(found)s, but this version reads %(known)s. Update Bot Factory."),
            file=path,
            found=repr(found),
            known=FORMAT,
        )
    return dict(content)


def _is_complete(content: Mapping[str, Any]) -> bool:
    return isinstance(content.get("network"), dict) and isinstance(content.get("sha256"), str)


def _load_once(directory: Path, *, as_stored: bool) -> Checkpoint:
    content = _describe_once(directory)
    data = (directory / WEIGHTS).read_bytes()
    if hashlib.sha256(data).hexdigest() != content["sha256"]:
        raise CheckpointError(
            mark(
                "The weights in %(file)s are incomplete or have changed since they were saved. Restore the model from "
                "a backup."
            ),
            file=directory / WEIGHTS,
        )
    try:
        network = config_of(content["network"])
    except ValueError as error:
        raise CheckpointError(
            mark(
                "%(file)s describes a network that this version doesn’t know: %(reason)s Update Bot Factory, or "
                "restore the model from a backup."
            ),
            file=directory / CONFIG,
            reason=error,
        ) from error
    read_vocabulary(directory, network)
    try:
        stored = load_tensors(data)
        kept = (np.float16, np.float32) if as_stored else (np.float32,)
        arrays = {name: array if array.dtype in kept else array.astype(np.float32) for name, array in stored.items()}
    except (ValueError, SafetensorError) as error:
        raise CheckpointError(
            mark("%(file)s can’t be read: %(reason)s. Restore the model from a backup."),
            file=directory / WEIGHTS,
            reason=error,
        ) from error
    _check_weights(network, arrays, directory / WEIGHTS)
    meta = content.get("meta")
    phrases = _phrases(directory / PHRASES, network, content.get("phrases"))
    return Checkpoint(network, _frozen(arrays), meta if isinstance(meta, dict) else {}, content["sha256"], phrases)


def _phrases(file: Path, network: Network, sha256: Any) -> Phrases | None:
    """Return the phrases in this file, None without one. Raises CheckpointError if they are damaged."""
    if sha256 is None or not isinstance(network, LlamaConfig):
        return None
    try:
        size = file.stat().st_size
    except FileNotFoundError:
        return None
    try:
        data = file.read_bytes() if size <= _MAX_PHRASES else b""
        if hashlib.sha256(data).hexdigest() != sha256:
            raise BadPhrases("Its sha256 is another.")
        return Phrases.from_bytes(data, network.symbols)
    except BadPhrases as error:
        raise CheckpointError(
            mark(
                "The phrases in %(file)s are incomplete or have changed since they were saved. Restore the file from "
                "a backup, or delete it: the bot also writes without them."
            ),
            file=file,
        ) from error


def _check_weights(network: Network, arrays: Mapping[str, NDArray[Any]], file: Path) -> None:
    shapes = kind_of(network).weight_shapes(network)
    if set(arrays) != set(shapes):
        raise CheckpointError(
            mark("%(file)s has the weights %(found)s instead of %(expected)s."),
            file=file,
            found=", ".join(sorted(arrays)) or "–",
            expected=", ".join(sorted(shapes)),
        )
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape:
            raise CheckpointError(
                mark("In %(file)s, %(name)s has shape %(found)s instead of %(expected)s."),
                file=file,
                name=name,
                found=array.shape,
                expected=shape,
            )
        if not _is_finite(array):
            raise CheckpointError(
                mark("In %(file)s, %(name)s contains a value that isn’t a finite number."),
                file=file,
                name=name,
            )


def _is_finite(array: NDArray[Any]) -> bool:
    if array.dtype != np.float16:
        return bool(np.isfinite(array).all())
    # Three times as fast as np.isfinite on float16. Infinity and NaN are the values with an exponent of all ones.
    exponent = np.uint16(0x7C00)
    return bool((array.view(np.uint16) & exponent).max(initial=0) < exponent)


def _frozen(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    views = {name: array.view() for name, array in arrays.items()}
    for view in views.values():
        view.setflags(write=False)
    return views


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
