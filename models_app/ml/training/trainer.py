"""The fine-tune: trains a base model on one person's posts, epoch by epoch, and keeps the best epoch.

With several rounds, each restarts from the initial weights with different random numbers. Each epoch validates, samples
and keeps the mean of its weights and those at the ends of the earlier rounds.

Finally, the weights are interpolated towards the initial weights as far as that improves validation. This reduces
overfitting to a small corpus, at the price of a few validations. (Weight-space ensembles of a model and its fine-tune:
"Robust fine-tuning of zero-shot models", Wortsman et al. 2022, arXiv:2109.01903, section 3.)

After each epoch, the full state is saved in `work_dir`. A later call with the same arguments resumes from there and
ends with the same weights as an uninterrupted run.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import FineTuneConfig, SamplingConfig
from models_app.ml.errors import Cancelled, TooFewPosts, mark
from models_app.ml.networks.registry import small_network
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.state_file import StateError, load_state, save_state
from models_app.ml.vocabulary import vocabulary_of

from . import prebuilt
from .dataset import epoch_batches
from .events import Control, EpochResult, FineTuneResult, Progress
from .learner import Learner
from .progress_meter import Clock
from .restarts import Place, mean_with, place_of
from .schedule import learning_rate
from .tf_threads import has_gpu

__all__ = ["EpochResult", "FineTuneResult", "Progress", "fine_tune"]

STATE: Final = "state.safetensors"
#: Positions between the initial weights (0) and the best epoch's (1) to validate at the end, as long as each improves.
INTERPOLATIONS: Final = (0.8, 0.6, 0.4)


class _Stop(Exception):
    """The person asked to stop now and keep the best epoch."""


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
) -> FineTuneResult:
    """Return the network fine-tuned on `train`, with the best weights on `validation`.

    Asks `control` before each batch: "stop" ends with the best epoch so far (or with the current weights, before the
    first epoch is complete); "cancel" raises Cancelled. Calls `on_progress` up to about four times a second and
    `on_epoch` once per epoch. Epochs that an earlier call with this work_dir finished go to `on_start` instead, before
    training begins. Raises TooFewPosts without training or validation posts, and TrainingDiverged if the loss isn't
    finite.
    """
    if not train or not validation:
        raise TooFewPosts(
            mark("A fine-tune needs at least one post for training and one for validation. Add more posts.")
        )
    job = _FineTune(start, train, validation, config, work_dir, on_progress, control)
    job.take_up()
    if on_start is not None:
        on_start(job.history)
    return job.run(on_epoch, sample_count, sample_filter)


class _FineTune:
    def __init__(
        self,
        start: Checkpoint,
        train: Sequence[str],
        validation: Sequence[str],
        config: FineTuneConfig,
        work_dir: Path,
        on_progress: Callable[[Progress], None],
        control: Control,
    ) -> None:
        self._start, self._config, self._path = start, config, work_dir / STATE
        self._vocabulary = vocabulary_of(start.network)
        self._train = [self._vocabulary.encode(post) for post in train]
        self._validation = [self._vocabulary.encode(post) for post in validation]
        self._validation_characters = sum(len(post) + 1 for post in validation)
        # End marks are symbols too; speed is reported in characters.
        self._symbols = sum(post.size + 1 for post in self._train)
        self._characters_per_symbol = sum(len(post) + 1 for post in train) / self._symbols
        self._on_progress, self._control = on_progress, control
        self._origin = _origin(start, train, validation, config)
        self._history: list[EpochResult] = []
        self._best: dict[str, NDArray[Any]] = dict(start.weights)
        self._ended: dict[str, NDArray[Any]] = {}  # mean of the weights at the ends of the finished rounds
        self._steps = 0  # trained in this round
        self._place = (0, 0, 0)  # epoch, step, steps
        self._epoch_loss = self._rate = math.nan
        self._learner = self._new_learner()
        # A validated symbol costs about a third of a trained one.
        check = sum(post.size + 1 for post in self._validation) / 3
        self._epoch_size = self._symbols + check
        self._start_bits = math.nan
        self._clock = Clock(total=config.epochs * self._epoch_size + (1 + len(INTERPOLATIONS)) * check)

    @property
    def history(self) -> tuple[EpochResult, ...]:
        """The finished epochs."""
        return tuple(self._history)

    def _new_learner(self) -> Learner:
        config = self._config
        return prebuilt.learner(
            small_network(self._start.network),
            self._start.weights,
            beta_2=config.beta_2,
            clip_norm=config.clip_norm,
            dropout=config.dropout,
        )

    def take_up(self) -> None:
        """Resume from the saved state if it belongs to this job; ignore any other state."""
        try:
            arrays, facts = load_state(self._path)
            if facts["origin"] != self._origin:
                raise StateError(f"{self._path} belongs to another job")
            history = [EpochResult(**entry | {"samples": tuple(entry["samples"])}) for entry in facts["history"]]
            best = {name: arrays[f"best.{name}"] for name in self._start.weights}
            ended = {name: arrays[f"ended.{name}"] for name in self._start.weights if f"ended.{name}" in arrays}
            start_bits = float(facts["start_bits"])
            self._learner.restore(arrays)
        except FileNotFoundError:
            return
        except (StateError, KeyError, TypeError, ValueError):
            # The restore may have been partial.
            self._learner = self._new_learner()
            return
        self._history, self._best, self._ended, self._start_bits = history, best, ended, start_bits
        self._steps = int(facts["steps"])
        # Reported if no epoch is left to train.
        self._place, self._epoch_loss = (len(history), 1, 1), history[-1].train_loss
        self._clock.done = len(history) * self._epoch_size

    def run(
        self,
        on_epoch: Callable[[EpochResult], None],
        sample_count: int,
        sample_filter: Callable[[str], bool] | None,
    ) -> FineTuneResult:
        begun = time.monotonic()
        stopped = False
        if math.isnan(self._start_bits):
            self._start_bits = self._validated(stoppable=False)[1]
        for epoch in range(len(self._history) + 1, self._config.epochs + 1):
            epoch_begun = time.monotonic()
            try:
                loss = self._learn(epoch)
                kept, measured = self._measured(epoch)
                self._report_progress(always=True)
            except _Stop:
                stopped = True
                if self._history:
                    break
                loss = self._epoch_loss
                kept, measured = self._measured(epoch, stoppable=False)
            samples = self._samples(kept, epoch, sample_count, sample_filter)
            best = not self._history or measured[0] < min(entry.validation_loss for entry in self._history)
            seconds = time.monotonic() - epoch_begun
            result = EpochResult(epoch, loss, *measured, seconds, self._rate, samples, best)
            self._history.append(result)
            if best:
                self._best = kept
            if self._config.rounds > 1 and self._round(epoch).is_last:
                self._ended = kept
            # An incomplete epoch must not be resumed as a complete one.
            if not stopped:
                self._save()
            on_epoch(result)
            if stopped:
                break
        best_epoch = min(self._history, key=lambda entry: (entry.validation_loss, entry.epoch)).epoch
        weights, interpolation, bits = self._part_of_the_way(best_epoch)
        return FineTuneResult(
            network=self._start.network,
            weights=weights,
            history=list(self._history),
            best_epoch=best_epoch,
            interpolation=interpolation,
            bits_per_character=bits,
            start_bits_per_character=self._start_bits,
            stopped_early=stopped,
            characters_per_second=self._clock.speed(),
            # On a GPU, the CPU cores are almost idle.
            cores_used=0.0 if has_gpu() else self._clock.cores_used(),
            seconds=time.monotonic() - begun,
        )

    def _part_of_the_way(self, best_epoch: int) -> tuple[dict[str, NDArray[Any]], float, float]:
        """Return the best weights between the initial and the best epoch's, their interpolation, and their bits."""
        epoch = self._history[best_epoch - 1]
        found = self._best, 1.0, epoch.bits_per_character
        lowest = epoch.validation_loss
        for interpolation in INTERPOLATIONS:
            weights = {
                name: np.float32(1 - interpolation) * self._start.weights[name] + np.float32(interpolation) * array
                for name, array in self._best.items()
            }
            self._learner.set_weights(weights)
            loss, bits = self._validated(stoppable=False)
            if loss >= lowest:
                # Along the line, the loss falls and then rises: further back it's even higher.
                break
            found, lowest = (weights, interpolation, bits), loss
        self._clock.done = self._clock.total
        self._report_progress(always=True)
        return found

    def _round(self, epoch: int) -> Place:
        return place_of(epoch, epochs=self._config.epochs, rounds=self._config.rounds)

    def _measured(self, epoch: int, *, stoppable: bool = True) -> tuple[dict[str, NDArray[Any]], tuple[float, float]]:
        """Return the epoch's weights, averaged with the earlier rounds, and their validation loss and bits."""
        own, ended = self._learner.weights(), self._round(epoch).round
        if not ended:
            return own, self._validated(stoppable=stoppable)
        mean = mean_with(own, self._ended, ended)
        self._learner.set_weights(mean)
        try:
            return mean, self._validated(stoppable=stoppable)
        finally:
            self._learner.set_weights(own)

    def _learn(self, epoch: int) -> float:
        """Train one epoch and return its mean loss in nats per symbol."""
        config, clock, place = self._config, self._clock, self._round(epoch)
        if place.round and place.is_first:
            self._learner.start_over(self._start.weights)
            self._steps = 0
        steps, batches = epoch_batches(
            self._train,
            vocabulary=self._vocabulary,
            batch_size=config.batch_size,
            sequence_length=config.sequence_length,
            seed=config.seed,
            epoch=epoch,
        )
        total = count = 0.0
        before = clock.done
        for step, batch in enumerate(batches):
            # A stop needs weights to keep, so it takes effect after the first step at the earliest.
            ask = self._ask if self._steps else self._ask_cancel
            ask()
            if step == 0:
                self._learner.reset(batch.inputs.shape[0])
            self._rate = learning_rate(
                peak=config.learning_rate,
                final=config.final_learning_rate,
                warmup_steps=config.warmup_steps,
                step=self._steps,
                fraction=(place.epoch + step / steps) / place.epochs,
            )
            begun, core_begun = time.monotonic(), time.process_time()
            # Seeds are 32 bits in TensorFlow.
            seed = ((config.seed * 7919 + epoch) % 2**31, step)
            loss, symbols = self._learner.train(batch, learning_rate=self._rate, seed=seed)
            self._steps += 1
            total, count = total + loss, count + symbols
            self._epoch_loss = total / count
            clock.done = before + count
            self._place = (epoch, step + 1, steps)
            if clock.started:
                clock.training_seconds += time.monotonic() - begun
                clock.core_seconds += time.process_time() - core_begun
                clock.characters += symbols * self._characters_per_symbol
                self._report_progress()
            else:
                clock.start()
        return self._epoch_loss

    def _validated(self, *, stoppable: bool = True) -> tuple[float, float]:
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
        between = self._ask if stoppable else self._ask_cancel
        total, count = self._learner.validate(batches, between, exact=False)
        self._clock.done += count / 3
        return total / count, total / math.log(2) / self._validation_characters

    def _ask(self) -> None:
        asked = self._control()
        if asked == "cancel":
            raise Cancelled(mark("The fine-tune was cancelled."))
        if asked == "stop":
            raise _Stop

    def _ask_cancel(self) -> None:
        if self._control() == "cancel":
            raise Cancelled(mark("The fine-tune was cancelled."))

    def _report_progress(self, *, always: bool = False) -> None:
        now, clock = time.monotonic(), self._clock
        if now - clock.told < 0.25 and not always:
            return
        clock.told = now
        epoch, step, steps = self._place
        self._on_progress(
            Progress(
                epoch=epoch,
                epochs=self._config.epochs,
                step=step,
                steps=steps,
                loss=self._epoch_loss,
                fraction=clock.fraction(),
                characters_per_second=clock.speed(),
                seconds_left=clock.seconds_left(),
            )
        )

    def _samples(
        self, weights: dict[str, NDArray[Any]], epoch: int, count: int, accept: Callable[[str], bool] | None
    ) -> tuple[str, ...]:
        if count < 1:
            return ()
        current = Checkpoint(self._start.network, weights, {}, "")
        config = SamplingConfig(count=count, seed=self._config.seed + epoch)
        return tuple(Sampler(current).generate(config, accept=accept).posts)

    def _save(self) -> None:
        arrays = self._learner.snapshot() | {f"best.{name}": array for name, array in self._best.items()}
        arrays |= {f"ended.{name}": array for name, array in self._ended.items()}
        facts = {
            "origin": self._origin,
            "steps": self._steps,
            "start_bits": self._start_bits,
            "history": [asdict(entry) for entry in self._history],
        }
        save_state(self._path, arrays, facts)


def _origin(start: Checkpoint, train: Sequence[str], validation: Sequence[str], config: FineTuneConfig) -> str:
    """Return a fingerprint of everything that determines the result."""
    vocabulary, digest = vocabulary_of(start.network), hashlib.sha256()
    end = np.array([vocabulary.end], vocabulary.dtype).tobytes()
    digest.update(json.dumps([start.network.as_dict(), config.as_dict(), len(train)], sort_keys=True).encode())
    for name in sorted(start.weights):
        digest.update(np.ascontiguousarray(start.weights[name]).tobytes())
    for post in (*train, *validation):
        digest.update(vocabulary.encode(post).tobytes() + end)
    return digest.hexdigest()
