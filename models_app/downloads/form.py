"""What a format is, and what all formats need to be written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from zipfile import ZipFile, ZipInfo

from models_app.bots import files
from models_app.bots.rows import TrainedModel
from models_app.ml import checkpoint
from models_app.ml.errors import CheckpointError, mark

CHUNK: Final = 1 << 18


def _any(model: TrainedModel) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Format:
    """A file format. `write` writes a model to a file; the same model always gives the same bytes.

    fits: whether a model can be written in it; is_small: whether a web process can do that.
    """

    title: str
    hint: str
    suffix: str
    media_type: str
    write: Callable[[TrainedModel, IO[bytes]], None]
    fits: Callable[[TrainedModel], bool] = _any
    is_small: Callable[[TrainedModel], bool] = _any


def verified(model: TrainedModel) -> Path:
    """Return the model's folder after verifying its weights. Raises CheckpointError."""
    folder = files.path_of(model)
    described = checkpoint.describe(folder)
    with (folder / checkpoint.WEIGHTS).open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != described["sha256"]:
            raise CheckpointError(
                mark("The weights in %(folder)s have changed since they were saved. Restore the model from a backup."),
                folder=folder,
            )
    return folder


def put(archive: ZipFile, model: TrainedModel, name: str, content: str | bytes) -> None:
    archive.writestr(entry_of(model, name), content)


def entry_of(model: TrainedModel, name: str) -> ZipInfo:
    """Return an entry dated to the model's creation, so that the file doesn't depend on when it is written."""
    moment = model.created_at
    entry = ZipInfo(name, (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second))
    entry.external_attr = 0o644 << 16
    return entry
