"""What a trial learns. It reports each epoch or validation, and then ends early, gives way or goes on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from botfactory.jobs.errors import ComeBackLater, JobFailed
from botfactory.jobs.handle import JobHandle
from botfactory.words.translatable import Sentence, mark
from botfactory.words.translation import stored
from models_app.bases import runner as base_runner
from models_app.bases.services import BaseError
from models_app.bots import guards, loading
from models_app.ml.training import dataset
from models_app.ml.training.adapters.config import AdapterConfig
from models_app.ml.training.events import Answer, EpochResult, Progress
from models_app.search import bases, bots
from models_app.search.outlook import outlook_of, with_trials
from models_app.search.rows import Search, Trial
from models_app.training import estimates
from models_app.training import fine_tune_job as training_runner
from tweets.corpora import idle, learning

if TYPE_CHECKING:
    from models_app.ml.training.pretrain import PretrainMeasuring, PretrainProgress, PretrainValidation

#: Seconds between two looks at how many trials have ended.
_LOOK: Final = 5.0


class TrialPruned(Exception):
    """The trial is worse than others were, so it ends here."""


@dataclass(frozen=True, slots=True)
class Learned:
    """The result of a trial: its bits per character, its seconds of training, and how many numbers its network has."""

    bits_per_character: float
    seconds: float
    weights: int


class Steps:
    """Reports how far a trial is: to Optuna after each of its steps, and to its job in between."""

    def __init__(self, handle: JobHandle, search: Search, trial: Trial) -> None:
        self._handle, self._search, self._trial = handle, search, trial
        self._look()

    def _look(self) -> None:
        found = with_trials(Search.objects.filter(pk=self._search.pk)).get()
        self._outlook, self._looked = outlook_of(found), timezone.now()

    def begin(self) -> None:
        """Show that the trial begins."""
        self._show(0.0, None)

    def within(self, fraction: float, seconds_left: float | None) -> None:
        """Show how much of the trial is done."""
        if (timezone.now() - self._looked).total_seconds() > _LOOK:
            self._look()
        self._show(fraction, seconds_left)

    def done(self, step: int, bits: float, seconds: float, *, is_last: bool) -> None:
        """Report a finished step, once. Raises TrialPruned or, if somebody waits, ComeBackLater.

        `seconds`: of training so far.
        """
        from models_app.search import study

        with self._handle.fenced():
            row = Trial.objects.select_for_update().get(pk=self._trial.pk)
            is_new = row.points.get(str(step)) != bits
            row.points[str(step)], row.seconds = bits, seconds
            row.save(update_fields=["points", "seconds"])
            prune = not is_last and study.should_prune(self._search, row)
        if is_new:
            told = {"trial": row.number, "step": step, "bits_per_character": bits, "seconds": round(seconds, 2)}
            self._handle.record("step", told)
        if prune:
            raise TrialPruned
        if not is_last and self._handle.should_yield():
            raise ComeBackLater(timezone.now(), base_runner.AWAITED)

    def _show(self, fraction: float, seconds_left: float | None) -> None:
        outlook = self._outlook
        message = Sentence(
            mark("Trial %(number)s: %(percent)s %%. %(ended)s of %(wanted)s trials have ended."),
            number=self._trial.number,
            percent=round(100 * fraction),
            ended=outlook.ended,
            wanted=outlook.wanted,
        )
        told: dict[str, Any] = {
            "phase": "searching",
            "trial": self._trial.number,
            "trials": outlook.ended,
            "of_trials": outlook.wanted,
            "fraction": round(min(1.0, (outlook.ended + fraction) / outlook.wanted), 4),
            "message": str(message),
            "words": stored(message),
        }
        left = outlook.seconds_left if outlook.seconds_left is not None else None
        if left is not None:
            told["seconds_left"] = round(left, 1)
        elif seconds_left is not None and outlook.wanted - outlook.ended == 1:
            told["seconds_left"] = round(seconds_left, 1)
        self._handle.progress(told)


def folder_of(handle: JobHandle, trial: Trial) -> Path:
    """Return the folder for the state of a trial."""
    return handle.work_dir / f"trial-{trial.number}"


def learn_bot(handle: JobHandle, search: Search, trial: Trial, steps: Steps) -> Learned:
    """Fine-tune a model with the trial's parameters. Raises TrialPruned, Cancelled and LearningError."""
    assert search.corpus is not None and search.start is not None
    corpus = idle.wait_until_ready(search.corpus)
    start = loading.load(search.start)
    config = bots.config_of(search.settings, trial.parameters, seed=search.seed)
    posts = learning.training_posts(corpus)
    train, validation = dataset.split(posts, validation_share=estimates.VALIDATION_SHARE, seed=search.seed)
    finished: list[EpochResult] = []
    parts = config.points if isinstance(config, AdapterConfig) else config.epochs

    def on_epoch(epoch: EpochResult) -> None:
        finished.append(epoch)
        seconds = sum(one.seconds for one in finished)
        steps.done(epoch.epoch, epoch.bits_per_character, seconds, is_last=epoch.epoch >= parts)

    def on_start(kept: Sequence[EpochResult]) -> None:
        # A killed worker may have saved an epoch without reporting it.
        for epoch in kept:
            on_epoch(epoch)

    def on_progress(progress: Progress) -> None:
        nonlocal parts
        # A training of few steps has fewer.
        parts = progress.epochs
        steps.within(progress.fraction, progress.seconds_left)

    # Imported late: only the training process may load TensorFlow.
    if isinstance(config, AdapterConfig):
        from models_app.ml.training.adapters import trainer as adapters

        train = training_runner.oldest_first(corpus, train)
        fine_tune = partial(adapters.fine_tune, config=config, start_guard=guards.guard_of(search.start))
    else:
        from models_app.ml.training import trainer

        fine_tune = partial(trainer.fine_tune, config=config)
    folder = folder_of(handle, trial)
    folder.mkdir(exist_ok=True)
    result = fine_tune(
        start=start,
        train=train,
        validation=validation,
        work_dir=folder,
        on_progress=on_progress,
        on_epoch=on_epoch,
        control=handle.control,
        sample_count=0,
        on_start=on_start,
    )
    weights = sum(int(array.size) for array in result.weights.values())
    return Learned(round(result.bits_per_character, 5), round(sum(one.seconds for one in finished), 2), weights)


def learn_base(handle: JobHandle, search: Search, trial: Trial, steps: Steps) -> Learned:
    """Train a base model with the trial's parameters. Raises TrialPruned, Cancelled and LearningError.

    Raises JobFailed if the posts aren't there: that isn't because of these parameters.
    """
    # Imported late: only the training process may load TensorFlow.
    from models_app.ml.training.pretrain import Budget, pretrain
    from models_app.ml.training.tokens import with_vocabulary

    told = search.settings
    try:
        files, validation = base_runner.read_posts(
            handle, search.corpus, told["files"], told["validation"], seed=search.seed
        )
    except BaseError as error:
        raise JobFailed(error.code, error) from error
    network, config = bases.trained(told, trial.parameters, seed=search.seed)
    budget = Budget(**told["budget"])

    def on_progress(progress: PretrainProgress) -> None:
        steps.within(min(1.0, progress.fraction), progress.seconds_left)

    def on_validation(result: PretrainValidation) -> None:
        seconds = 60 * result.minutes
        step = math.floor(min(1.0, budget.spent(seconds, result.bytes_seen)) * search.steps)
        if step:
            steps.done(step, round(result.bits_per_character, 5), seconds, is_last=step >= search.steps)

    def on_measuring(progress: PretrainMeasuring) -> None:
        steps.within(1.0, progress.seconds_left)

    def control() -> Answer:
        asked = handle.control()
        return "pause" if asked == "go" and handle.should_yield() else asked

    trained = pretrain(
        corpus=files,
        validation=validation,
        directory=folder_of(handle, trial) / base_runner.MODEL,
        budget=budget,
        # Continue from the state that an earlier attempt has saved.
        resume=True,
        # All trials of this job share the vocabularies that it learns.
        network=with_vocabulary(network, files, handle.work_dir, resume=True),
        config=config,
        start=None if search.start is None else loading.load(search.start),
        on_progress=on_progress,
        on_validation=on_validation,
        on_measuring=on_measuring,
        control=control,
    )
    weights = sum(int(array.size) for array in trained.weights.values())
    bits = round(float(trained.meta["bits_per_character"]), 5)
    return Learned(bits, round(60 * float(trained.meta["minutes"]), 2), weights)
