"""Reads models' files: weights, samplers and copy guards, the last two also from this process's memory."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path

from models_app.bots import files, pretrained
from models_app.bots.files import FINGERPRINTS, path_of
from models_app.bots.rows import TrainedModel
from models_app.ml import checkpoint
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.sampler import Sampler

#: Loaded models per process: about 30 MB each.
KEPT_IN_MEMORY = 8


def load(model: TrainedModel) -> Checkpoint:
    """Return the verified weights. Raises CheckpointError if the files are damaged or missing.

    Raises PretrainedError if the pretrained model that they belong to is missing.
    """
    pretrained.require(model.network)
    return checkpoint.load(path_of(model))


def open_sampler(model: TrainedModel) -> Sampler:
    """Return a sampler that nobody else has. Raises CheckpointError."""
    pretrained.require(model.network)
    return _sampler_in(path_of(model))


def forget() -> None:
    """Drop what this process keeps in memory."""
    _sampler.cache_clear()
    _guard.cache_clear()


def sampler_of(model: TrainedModel) -> Sampler:
    pretrained.require(model.network)
    with _loading:
        return _sampler(str(path_of(model)), model.sha256)


def has_guard(model: TrainedModel) -> bool:
    return (path_of(model) / FINGERPRINTS).exists()


def load_guard(model: TrainedModel) -> CopyGuard | None:
    """Return the guard of the posts that the model and its parents learned from, or None if it has no file.

    Raises CheckpointError if the file is damaged.
    """
    if not has_guard(model):
        return None
    with _loading:
        return _guard(str(path_of(model)), model.sha256)


#: Only one thread loads a model; with lru_cache alone, each thread that wants it would.
_loading = threading.Lock()


@lru_cache(maxsize=KEPT_IN_MEMORY)
def _guard(path: str, sha256: str) -> CopyGuard:
    return CopyGuard.load(Path(path) / FINGERPRINTS)


@lru_cache(maxsize=KEPT_IN_MEMORY)
def _sampler(path: str, sha256: str) -> Sampler:
    return _sampler_in(Path(path))


def _sampler_in(path: Path) -> Sampler:
    return Sampler(checkpoint.load(path, as_stored=True), files.context_of(path))
