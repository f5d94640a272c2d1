"""The copy guard of a model: kept beside its weights, made again where it is missing, never left out unnoticed."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from threading import Lock

from botfactory.words import counted
from models_app import registry
from models_app.ml.errors import LearningError
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.models import TrainedModel
from tweets import services as corpora
from tweets.models import Corpus

logger = logging.getLogger(__name__)

#: Of two requests for the same bot, the second finds what the first has made.
_making = Lock()


class State(StrEnum):
    """How it is with the copy guard of a model."""

    #: Its file is there.
    KEPT = "kept"
    #: Its file is missing, and the posts are here to make it again: a bot of an earlier version has none at first.
    TO_BE_MADE = "to_be_made"
    #: It learned from nobody's posts, as far as anybody knows: a version of the base model.
    NOT_NEEDED = "not_needed"
    #: Its file is missing, and so are the posts.
    LOST = "lost"


class GuardLost(LearningError):
    """A bot can no longer tell whether it copies the posts that it learned."""

    code = "copy_guard_lost"

    def __init__(self, model: TrainedModel) -> None:
        super().__init__(
            f"{model.name} can't write: the file that keeps it from copying the posts that it learned "
            f"({registry.FINGERPRINTS}) is missing, and the posts are deleted. Ask the administrator to restore the "
            "file from a backup, or train a new bot."
        )


def state_of(model: TrainedModel) -> State:
    """Looks for files and rows only; the file may still be damaged."""
    return State.KEPT if registry.has_guard(model) else state_without_file(model)


def state_without_file(model: TrainedModel) -> State:
    """Whether the guard could be made again if its file were gone."""
    if is_version(model):
        return State.TO_BE_MADE if _known(model) else State.NOT_NEEDED
    if model.corpus is None or model.corpus.posts.count() < max(1, model.posts):
        return State.LOST
    if model.parent is None:
        # A name with a slash is a person's model, which is gone.
        return State.LOST if "/" in model.parent_name else State.TO_BE_MADE
    return State.LOST if state_of(model.parent) is State.LOST else State.TO_BE_MADE


def is_version(model: TrainedModel) -> bool:
    """Whether it is a version of the base model, also while it is not the base.

    What a version has read is everybody's (bases.py), so it works without a guard. A person's bot that was promoted is
    no version: it keeps its guard.
    """
    return bool(model.origin) or (model.owner_id is None and model.directory == registry.BASE_DIRECTORY)


def _known(version: TrainedModel) -> bool:
    """Whether there is something that a version can be compared with."""
    if version.corpus is not None:
        return True
    return version.parent is not None and state_of(version.parent) in (State.KEPT, State.TO_BE_MADE)


def guard_of(model: TrainedModel) -> CopyGuard | None:
    """The posts that `model` and its parents learned from, by their fingerprints; None where it needs no guard.

    A guard that is missing is made again from the posts, and kept. GuardLost where these are gone too, CheckpointError
    where the file is damaged.
    """
    kept = registry.load_guard(model)
    if kept is not None:
        return kept
    state = state_of(model)
    if state is State.LOST:
        raise GuardLost(model)
    if state is State.NOT_NEEDED:
        return None
    with _making:
        kept = registry.load_guard(model)
        if kept is None:
            kept = _made_again(model)
            _keep(model, kept)
    return kept


@lru_cache(maxsize=registry.KEPT_IN_MEMORY)
def _made_again(model: TrainedModel) -> CopyGuard:
    """Knows all posts of the corpora, also those that newer rules leave out: nobody knows which were learned."""
    beside: CopyGuard | None = None
    # The oldest first: what it and its parents know is beside what the next one has learned.
    for step in reversed(_line(model)):
        kept = registry.load_guard(step)
        if kept is not None:
            beside = kept
        elif step.corpus is not None:
            posts = corpora.all_posts(step.corpus)
            if len(posts) < max(1, step.posts):
                # They were deleted a moment ago.
                raise GuardLost(model)
            beside = CopyGuard.of(posts, beside=beside)
    if beside is None:
        raise GuardLost(model)
    return beside


def _line(model: TrainedModel) -> list[TrainedModel]:
    """The model, its parent and so on, up to the first whose guard is kept: that one knows its parents' posts."""
    line: list[TrainedModel] = []
    step: TrainedModel | None = model
    while step is not None:
        line.append(step)
        step = None if registry.has_guard(step) else step.parent
    return line


def _keep(model: TrainedModel, guard: CopyGuard) -> None:
    """The guard is beside the weights. Where there is no room for it, the bot writes all the same, guarded by it."""
    path = registry.path_of(model)
    try:
        with tempfile.TemporaryDirectory(prefix=".guard-", dir=path) as folder:
            # Another process may be at it too: each writes a file of its own.
            staged = Path(folder) / registry.FINGERPRINTS
            guard.save(staged)
            staged.replace(path / registry.FINGERPRINTS)
    except OSError as error:
        logger.warning("the copy guard of %s (%s) cannot be kept: %s", model, model.pk, error)
    else:
        logger.info("the copy guard of %s (%s) was made again", model, model.pk)


def make_again(model: TrainedModel) -> str:
    """The guard is made from the posts, in the place of a file that is missing or damaged; what was done, in words.

    GuardLost where the posts are gone: the file stays as it is then. OSError where there is no room for it.
    """
    state = state_without_file(model)
    if state is State.LOST or state is State.NOT_NEEDED:
        raise GuardLost(model)
    path = registry.path_of(model) / registry.FINGERPRINTS
    path.unlink(missing_ok=True)
    guard = guard_of(model)
    assert guard is not None
    if not path.exists():
        raise OSError(f"{path} cannot be written")
    return f"made again from {counted(len(guard), 'post')}"


def guard_of_version(corpus: Corpus | None, start: TrainedModel | None) -> CopyGuard | None:
    """What a version of the base model is to know that learns this corpus, from this start; None where that is nothing.

    A start whose guard is lost keeps nobody from training the base model: see `is_version`.
    """
    beside: CopyGuard | None = None
    if start is not None:
        with contextlib.suppress(GuardLost):
            beside = guard_of(start)
    posts: Iterable[str] = () if corpus is None else corpora.training_posts(corpus)
    guard = CopyGuard.of(posts, beside=beside)
    return guard if len(guard) else None
