"""The fine-tune: trains a base model on one person's posts, epoch by epoch, and keeps the best epoch.

With several rounds, each restarts from the initial weights with different random numbers. Each epoch validates, samples
and keeps the mean of its weights and those at the ends of the earlier rounds.

After each epoch, the full state is saved in `work_dir`. A later call with the same arguments resumes from there and
ends with the same weights as an uninterrupted run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import FineTuneConfig
from models_app.ml.networks.registry import small_network
from models_app.ml.vocabulary import vocabulary_of

from . import prebuilt
from .dataset import epoch_batches
from .events import Control, EpochResult, FineTuneResult, Openings, Progress
from .fine_tuning import INTERPOLATIONS, STATE, Arrays, FineTuning, Kept, origin_of, require_posts
from .progress_meter import Clock
from .restarts import Place, mean_with, place_of

__all__ = ["STATE", "EpochResult", "FineTuneResult", "Progress", "fine_tune"]


def fine_tune(
    *,
    start: Checkpoint,
    train: Sequence[str],
    validation: Sequence[str],
    config: FineTuneConfig,
    work_dir: Path,
    on_progress: Callable[[Progress], None],
    on_epoch: Callable[[EpochResult], None],
    control: Control,
    sample_count: int = 4,
    sample_filter: Callable[[str], bool] | None = None,
    on_start: Callable[[Sequence[EpochResult]], None] | None = None,
    openings: Openings | None = None,
) -> FineTuneResult:
    """Return the network fine-tuned on `train`, with the best weights on `validation`.

    Asks `control` before each batch: "stop" ends with the best epoch so far (or with the current weights, before the
    first epoch is complete); "cancel" raises Cancelled. Calls `on_progress` up to about four times a second and
    `on_epoch` once per epoch. Epochs that an earlier call with this work_dir finished go to `on_start` instead, before
    training begins. The model continues `openings` each time. Raises TooFewPosts without training or validation posts,
    and TrainingDiverged if the loss isn't finite.
    """
    require_posts(train, validation)
    job = _FineTune(
        start=start,
        train=train,
        validation=validation,
        config=config,
        work_dir=work_dir,
        on_progress=on_progress,
        control=control,
    )
    job.take_up()
    if on_start is not None:
        on_start(tuple(job.history))
    return job.run(on_epoch, sample_count, sample_filter, openings)


class _FineTune(FineTuning):
    def __init__(
        self,
        *,
        start: Checkpoint,
        train: Sequence[str],
        validation: Sequence[str],
        config: FineTuneConfig,
        work_dir: Path,
        on_progress: Callable[[Progress], None],
        control: Control,
    ) -> None:
        self._vocabulary, self._config = vocabulary_of(start.network), config
        self._train = [self._vocabulary.encode(post) for post in train]
        self._validation = [self._vocabulary.encode(post) for post in validation]
        self._validation_characters = sum(len(post) + 1 for post in validation)
        self.measured_posts = len(validation)
        end = np.array([self._vocabulary.end], self._vocabulary.dtype).tobytes()
        super().__init__(
            start=start,
            settings=config,
            epochs=config.epochs,
            origin=origin_of(
                start, config, len(train), (post.tobytes() + end for post in (*self._train, *self._validation))
            ),
            work_dir=work_dir,
            on_progress=on_progress,
            control=control,
        )
        # End marks are symbols too; speed is reported in characters.
        symbols = sum(post.size + 1 for post in self._train)
        self.characters_per_symbol = sum(len(post) + 1 for post in train) / symbols
        # A validated symbol costs about a third of a trained one.
        check = sum(post.size + 1 for post in self._validation) / 3
        self._epoch_size = symbols + check
        self.clock = Clock(total=config.epochs * self._epoch_size + (1 + len(INTERPOLATIONS)) * check)
        self._ended: Arrays = {}  # mean of the weights at the ends of the finished rounds
        self._steps = 0  # trained in this round

    def begin(self) -> None:
        config = self._config
        self._learner = prebuilt.learner(
            small_network(self.start.network),
            self.start.weights,
            beta_2=config.beta_2,
            clip_norm=config.clip_norm,
            dropout=config.dropout,
        )

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        ended = {f"ended.{name}": array for name, array in self._ended.items()}
        return self._learner.snapshot() | ended, {"steps": self._steps}

    def restore(self, arrays: Arrays, facts: Mapping[str, Any]) -> None:
        steps, epochs = int(facts["steps"]), len(facts["history"])
        self._learner.restore(arrays)
        self._ended = {name: arrays[f"ended.{name}"] for name in self.start.weights if f"ended.{name}" in arrays}
        self._steps = steps
        # Reported if no epoch is left to train.
        self.place = (epochs, 1, 1)
        self.clock.done = epochs * self._epoch_size

    def validated_start(self) -> float:
        return self._validated(self.ask_cancel)[1]

    def learn(self, epoch: int) -> None:
        config, place = self._config, self._round(epoch)
        if place.round and place.is_first:
            self._learner.start_over(self.start.weights)
            self._steps = 0
        steps, batches = epoch_batches(
            self._train,
            vocabulary=self._vocabulary,
            batch_size=config.batch_size,
            sequence_length=config.sequence_length,
            seed=config.seed,
            epoch=epoch,
        )
        for step, batch in enumerate(batches):
            # A stop needs weights to keep, so it takes effect after the first step at the earliest.
            ask = self.ask if self._steps else self.ask_cancel
            ask()
            if step == 0:
                self._learner.reset(batch.inputs.shape[0])
            # Seeds are 32 bits in TensorFlow.
            train = partial(self._learner.train, batch, seed=((config.seed * 7919 + epoch) % 2**31, step))
            fraction = (place.epoch + step / steps) / place.epochs
            self.step(train, number=self._steps, fraction=fraction, place=(epoch, step + 1, steps))
            self._steps += 1

    def measured(self, epoch: int, between: Callable[[], None]) -> tuple[Arrays, float, float]:
        """Return the epoch's weights, averaged with the earlier rounds, and their validation loss and bits."""
        own, ended = self._learner.weights(), self._round(epoch).round
        if not ended:
            return own, *self._validated(between)
        mean = mean_with(own, self._ended, ended)
        self._learner.set_weights(mean)
        try:
            return mean, *self._validated(between)
        finally:
            self._learner.set_weights(own)

    def after(self, epoch: int, weights: Arrays) -> None:
        if self._config.rounds > 1 and self._round(epoch).is_last:
            self._ended = weights

    def ended(self, best: EpochResult) -> Kept:
        kept = Kept(self.best, best.epoch, 1.0, best.bits_per_character)
        return self.interpolated(kept, best.validation_loss, self._bits_of)

    def _bits_of(self, weights: Arrays) -> tuple[float, float]:
        self._learner.set_weights(weights)
        return self._validated(self.ask_cancel)

    def _round(self, epoch: int) -> Place:
        return place_of(epoch, epochs=self._config.epochs, rounds=self._config.rounds)

    def _validated(self, between: Callable[[], None]) -> tuple[float, float]:
        """Return the loss (nats per symbol) and bits per character over the whole validation split."""
        config = self._config
        _, batches = epoch_batches(
            self._validation,
            vocabulary=self._vocabulary,
            batch_size=64,
            sequence_length=config.sequence_length,
            seed=config.seed,
            epoch=0,
        )
        total, count = self._learner.validate(batches, between, exact=False)
        self.clock.done += count / 3
        return total / count, total / math.log(2) / self._validation_characters
