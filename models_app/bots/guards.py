"""The copy guard of a model: stored beside its weights, rebuilt if missing, never skipped silently."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from botfactory.words.plurals import counted
from models_app.bots import files, loading, versions
from models_app.bots.files import FINGERPRINTS
from models_app.bots.rows import TrainedModel
from models_app.ml.errors import LearningError, mark
from models_app.ml.sampling.copy_guard import CopyGuard
from tweets.corpora import learning
from tweets.models import Corpus

logger = logging.getLogger(__name__)

#: Of two requests for the same bot, the second waits and uses the guard that the first has built.
_making = Lock()


class State(StrEnum):
    """The state of a model's copy guard."""

    #: The file exists.
    KEPT = "kept"
    #: The file is missing but can be rebuilt from the posts. Bots of early versions start like this.
    TO_BE_MADE = "to_be_made"
    #: A version of the base model without any known posts to protect.
    NOT_NEEDED = "not_needed"
    #: The file and the posts are missing.
    LOST = "lost"


class GuardLost(LearningError):
    """A bot has lost its copy guard, so nobody can tell whether it copies learned posts."""

    code = "copy_guard_lost"

    def __init__(self, model: TrainedModel) -> None:
        super().__init__(
            mark(
                "%(name)s can’t write: its copy protection (the file %(file)s) is missing, and the posts that it "
                "learned are deleted. Ask the administrator to restore the file from a backup, or train a new bot."
            ),
            name=model.name,
            file=FINGERPRINTS,
        )


def state_of(model: TrainedModel) -> State:
    """Return the guard's state by files and rows only; the file may still be damaged."""
    return State.KEPT if loading.has_guard(model) else state_without_file(model)


def state_without_file(model: TrainedModel) -> State:
    """Return the guard's state as if its file were missing."""
    if is_version(model):
        return State.TO_BE_MADE if _known(model) else State.NOT_NEEDED
    if model.corpus is None or model.corpus.posts.count() < max(1, model.posts):
        return State.LOST
    if model.parent is None:
        # A name with a slash was a person's model, which is deleted.
        return State.LOST if "/" in model.parent_name else State.TO_BE_MADE
    return State.LOST if state_of(model.parent) is State.LOST else State.TO_BE_MADE


def is_version(model: TrainedModel) -> bool:
    """Return whether this is a version of the base model, current or not.

    Everybody here may see the posts that a version was trained on (base_models/services.py), so it works without a
    guard. A person's bot that was promoted isn't a version: it keeps its guard.
    """
    return bool(model.origin) or (model.owner_id is None and model.directory == versions.BASE_DIRECTORY)


def is_of_own_posts(user: Any, model: TrainedModel) -> bool:
    """Return whether all posts in the guard of the model are the person's own import.

    Everybody may see the posts of a version of the base model, but not those of a person's bot that became one.
    """
    step: TrainedModel | None = model
    while step is not None and not is_version(step):
        # A name with a slash was a person's model, which is deleted.
        if step.owner_id != user.pk or (step.parent is None and "/" in step.parent_name):
            return False
        step = step.parent
    return True


def _known(version: TrainedModel) -> bool:
    """Return whether there are known posts to compare a version's posts with."""
    if version.corpus is not None:
        return True
    return version.parent is not None and state_of(version.parent) in (State.KEPT, State.TO_BE_MADE)


def guard_of(model: TrainedModel) -> CopyGuard | None:
    """Return the guard of the posts that `model` and its parents learned from, or None if it needs none.

    Rebuilds a missing guard from the posts and saves it. Raises GuardLost if the posts are gone too, and
    CheckpointError if the file is damaged.
    """
    kept = loading.load_guard(model)
    if kept is not None:
        return kept
    state = state_of(model)
    if state is State.LOST:
        raise GuardLost(model)
    if state is State.NOT_NEEDED:
        return None
    with _making:
        kept = loading.load_guard(model)
        if kept is None:
            kept = _made_again(model)
            _keep(model, kept)
    return kept


def forget() -> None:
    """Drop what this process keeps in memory."""
    _made_again.cache_clear()


@lru_cache(maxsize=loading.KEPT_IN_MEMORY)
def _made_again(model: TrainedModel) -> CopyGuard:
    """Return a guard of all posts of the corpora.

    Includes posts that newer cleaning rules drop, since nobody knows which ones the model learned.
    """
    beside: CopyGuard | None = None
    # Oldest first: each model adds its posts to the guard of its parents.
    for step in reversed(_line(model)):
        kept = loading.load_guard(step)
        if kept is not None:
            beside = kept
        elif step.corpus is not None:
            posts = learning.all_posts(step.corpus)
            if len(posts) < max(1, step.posts):
                # They were deleted in the meantime.
                raise GuardLost(model)
            beside = CopyGuard.of(posts, beside=beside)
    if beside is None:
        raise GuardLost(model)
    return beside


def _line(model: TrainedModel) -> list[TrainedModel]:
    """Return the model and its ancestors, up to the first with a stored guard, which covers its own ancestors."""
    line: list[TrainedModel] = []
    step: TrainedModel | None = model
    while step is not None:
        line.append(step)
        step = None if loading.has_guard(step) else step.parent
    return line


def _keep(model: TrainedModel, guard: CopyGuard) -> None:
    """Save the guard beside the weights. If the disk is full, the bot still writes, with the guard in memory."""
    path = files.path_of(model)
    try:
        with tempfile.TemporaryDirectory(prefix=".guard-", dir=path) as folder:
            # Another process may be doing the same, so each writes its own file.
            staged = Path(folder) / FINGERPRINTS
            guard.save(staged)
            staged.replace(path / FINGERPRINTS)
    except OSError as error:
        logger.warning("the copy guard of %s (%s) can't be saved: %s", model, model.pk, error)
    else:
        logger.info("the copy guard of %s (%s) was rebuilt", model, model.pk)


def make_again(model: TrainedModel) -> str:
    """Rebuild a missing or damaged guard from the posts; return a phrase that says what was done.

    Raises GuardLost if the posts are gone (and leaves the file as it is), and OSError if the disk is full.
    """
    state = state_without_file(model)
    if state is State.LOST or state is State.NOT_NEEDED:
        raise GuardLost(model)
    path = files.path_of(model) / FINGERPRINTS
    path.unlink(missing_ok=True)
    guard = guard_of(model)
    assert guard is not None
    if not path.exists():
        raise OSError(f"{path} can't be written")
    return f"rebuilt from {counted(len(guard), 'post')}"


def guard_of_version(corpus: Corpus | None, start: TrainedModel | None) -> CopyGuard | None:
    """Return the guard for a version of the base model trained on this corpus from this start; None if it's empty.

    A start that has lost its guard doesn't prevent base training: see `is_version`.
    """
    beside: CopyGuard | None = None
    if start is not None:
        with contextlib.suppress(GuardLost):
            beside = guard_of(start)
    posts: Iterable[str] = () if corpus is None else learning.training_posts(corpus)
    guard = CopyGuard.of(posts, beside=beside)
    return guard if len(guard) else None
