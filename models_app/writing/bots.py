"""Bots in a writer's memory: the sampler and the copy guard of each."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from botfactory.words.translatable import mark
from models_app.bots import files, guards, loading
from models_app.bots.errors import UnknownModel
from models_app.bots.files import FINGERPRINTS
from models_app.bots.rows import TrainedModel
from models_app.ml.checkpoint import WEIGHTS
from models_app.ml.errors import LearningError
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.sampler import Sampler
from models_app.writing import held
from models_app.writing.shelf import Key, Shelf

#: Of a file of float16: what is multiplied is kept as float32.
_GROWS = 2


@dataclass(slots=True)
class Bot:
    """A model that can write. `guard`: None if it needs none, or the reason why there is none."""

    sampler: Sampler
    guard: CopyGuard | LearningError | None

    def guard_of(self, model: TrainedModel) -> CopyGuard | None:
        """Return the guard. Raises GuardLost or CheckpointError."""
        if isinstance(self.guard, LearningError):
            # It may have been restored since.
            self.guard = guards.guard_of(model)
        return self.guard


def key_of(model: TrainedModel) -> Key:
    """Return the key of the model's files: with other files, it's another bot."""
    path = files.path_of(model)
    return str(path), f"{model.sha256}.{_stamp(path / FINGERPRINTS)}"


def _stamp(file: Path) -> str:
    try:
        found = file.stat()
    except OSError:
        return ""
    return f"{found.st_mtime_ns}.{found.st_size}"


def expected_bytes(model: TrainedModel) -> int:
    try:
        return _GROWS * (files.path_of(model) / WEIGHTS).stat().st_size
    except OSError:
        return 0


def model_of(name: str) -> TrainedModel:
    """Return the model of a bot that is named as in `Request.bot`. Raises services.UnknownModel if it's deleted.

    Rights were checked before a writer heard of it.
    """
    number, _, sha256 = name.partition(".")
    rows = TrainedModel.objects.select_related("owner", "corpus", "parent")
    model = rows.filter(pk=number, sha256=sha256).first()
    if model is None:
        raise UnknownModel(mark("This bot has just been deleted."))
    return model


class Memory:
    """The bots that a writer has in memory, by their names as in `Request.bot`."""

    def __init__(self, max_bytes: int) -> None:
        self.shelf: Shelf[Bot] = Shelf(max_bytes)
        #: What the process held before there were bots; None if the system doesn't say.
        self._without = held.held_bytes()
        self._loading: list[str] = []
        #: Where they are on the shelf, or were until they had to make room.
        self._keys: dict[str, Key] = {}
        self._changing = threading.Lock()

    def names(self) -> list[str]:
        """Return the names of those that are in memory, or soon will be."""
        with self._changing:
            self._keys = {name: key for name, key in self._keys.items() if key in self.shelf}
            return sorted({*self._keys, *self._loading})

    def measured(self) -> int:
        """Return the bytes that the process holds, and let bots go if that's too much with what they all need."""
        total = held.held_bytes()
        if total is None or self._without is None:
            return self.shelf.bytes
        if self.shelf.leave_room(max(0, total - self._without - self.shelf.bytes)):
            held.give_back()
            total = held.held_bytes() or total
        return total

    def take(self, name: str, model: TrainedModel) -> tuple[Key, Bot]:
        """Return the bot, loaded if it isn't there, and its key, for `shelf.give_back`. Raises CheckpointError."""

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
            return Bot(sampler, guard), sampler.nbytes + (guard.nbytes if isinstance(guard, CopyGuard) else 0)

        with self._changing:
            self._loading.append(name)
        try:
            key = key_of(model)
            bot = self.shelf.take(key, expected_bytes(model), load)
            with self._changing:
                self._keys[name] = key
        finally:
            with self._changing:
                self._loading.remove(name)
        return key, bot
