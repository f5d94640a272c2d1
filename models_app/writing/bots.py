"""Bots in a writer's memory: the sampler and the copy guard of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models_app import guards, loading, model_files
from models_app.ml.checkpoint import WEIGHTS
from models_app.ml.errors import LearningError
from models_app.ml.evaluation.likeness import PersonLikeness
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.sampler import Sampler
from models_app.model_files import FINGERPRINTS, LIKENESS
from models_app.models import TrainedModel
from models_app.writing.shelf import Key, Shelf

#: Of a file of float16: what is multiplied is kept as float32.
_GROWS = 2


@dataclass(slots=True)
class Bot:
    """A model that can write. `guard`: None if it needs none, or the reason why there is none.

    `likeness`: None for models of early versions and for base models.
    """

    sampler: Sampler
    guard: CopyGuard | LearningError | None
    likeness: PersonLikeness | None = None

    def guard_of(self, model: TrainedModel) -> CopyGuard | None:
        """Return the guard. Raises GuardLost or CheckpointError."""
        if isinstance(self.guard, LearningError):
            # It may have been restored since.
            self.guard = guards.guard_of(model)
        return self.guard


def key_of(model: TrainedModel) -> Key:
    """Return the key of the model's files: with other files, it's another bot."""
    path = model_files.path_of(model)
    return str(path), ".".join([model.sha256, *(_stamp(path / name) for name in (FINGERPRINTS, LIKENESS))])


def _stamp(file: Path) -> str:
    try:
        found = file.stat()
    except OSError:
        return ""
    return f"{found.st_mtime_ns}.{found.st_size}"


def expected_bytes(model: TrainedModel) -> int:
    try:
        return _GROWS * (model_files.path_of(model) / WEIGHTS).stat().st_size
    except OSError:
        return 0


def take(shelf: Shelf[Bot], model: TrainedModel) -> tuple[Key, Bot]:
    """Return the bot and its key on the shelf, loaded if it isn't there. Raises CheckpointError."""

    def load() -> tuple[Bot, int]:
        sampler = loading.open_sampler(model)
        guard: CopyGuard | LearningError | None
        try:
            guard = guards.guard_of(model)
        except LearningError as error:
            guard = error
        # What else this process remembers of it would not count.
        loading.forget()
        guards.forget()
        likeness = loading.load_likeness(model)
        size = sampler.nbytes + (guard.nbytes if isinstance(guard, CopyGuard) else 0)
        return Bot(sampler, guard, likeness), size + (likeness.nbytes if likeness else 0)

    key = key_of(model)
    return key, shelf.take(key, expected_bytes(model), load)
