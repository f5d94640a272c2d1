"""The fine-tune of a pretrained model: trains an adapter on one person's posts and keeps the best point.

One reading of the posts takes minutes, so what a small network's training does after each epoch happens here at
several points within it: validation on a fixed sample of the held-out posts, samples of new ones, and the best weights
so far. In between, the full state is saved in `work_dir` every SAVE_SECONDS. A later call with the same arguments
resumes from there and ends with the same weights as an uninterrupted run.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import Cancelled, TooFewPosts, mark
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.store import LIBRARY
from models_app.ml.sampling.context import fitting
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.state_file import StateError, load_state, save_state
from models_app.ml.training.events import Control, EpochResult, FineTuneResult, Progress
from models_app.ml.training.progress_meter import Clock
from models_app.ml.training.schedule import learning_rate
from models_app.ml.training.tf_threads import has_gpu

from .config import AdapterConfig
from .learner import AdapterLearner
from .packing import PackedBatch, packed_batches
from .prebuilt import learner_for

STATE: Final = "state.safetensors"
#: At most this much work is lost when a worker is killed.
SAVE_SECONDS: Final = 20.0
#: Symbols of held-out posts in the sample that each point is measured on.
VALIDATION_SYMBOLS: Final = 3000
#: The cost of validating a symbol relative to training on it.
VALIDATION_COST: Final = 0.35

Arrays = dict[str, NDArray[Any]]


class _Stop(Exception):
    """The person asked to stop now and keep the best point."""


def fine_tune(
    *,
    start: Checkpoint,
    train: Sequence[str],
    validation: Sequence[str],
    config: AdapterConfig,
    work_dir: Path,
    on_progress: Callable[[Progress], None],
    on_epoch: Callable[[EpochResult], None],
    control: Control,
    sample_count: int = 4,
    sample_filter: Callable[[str], bool] | None = None,
    on_start: Callable[[Sequence[EpochResult]], None] | None = None,
    on_before: Callable[[Sequence[str]], None] | None = None,
) -> FineTuneResult:
    """Return the adapter trained on `train`, with the best weights on `validation`.

    The arguments are those of `training.trainer.fine_tune`; each `EpochResult` is a point of the training, counted from
    1 to `config.points`. Before anything is learned, `on_before` gets posts of `start` with some of `train` in its
    context, unless the job resumes. Raises the same errors.
    """
    if not train or not validation:
        raise TooFewPosts(
            mark("A fine-tune needs at least one post for training and one for validation. Add more posts.")
        )
    job = _FineTune(start, train, validation, config, work_dir, on_progress, control)
    job.take_up()
    if on_start is not None:
        on_start(tuple(job.history))
    if on_before is not None and sample_count and job.is_new:
        on_before(job.samples_before(sample_count, sample_filter))
    return job.run(on_epoch, sample_count, sample_filter)


class _FineTune:
    def __init__(
        self,
        start: Checkpoint,
        train: Sequence[str],
        validation: Sequence[str],
        config: AdapterConfig,
        work_dir: Path,
        on_progress: Callable[[Progress], None],
        control: Control,
    ) -> None:
        if not isinstance(start.network, LlamaConfig):
            raise TypeError(f"An adapter needs a Llama, not a network of kind {start.network.kind}.")
        self._start, self._network, self._config = start, start.network, config
        self._path = work_dir / STATE
        self._on_progress, self._control = on_progress, control
        self._vocabulary = LIBRARY.get(self._network.pretrained).vocabulary
        self._train = list(train)
        self._posts = [self._vocabulary.encode(post) for post in train]
        held_out = [self._vocabulary.encode(post) for post in validation]
        sample = self._sampled(held_out)
        self._sample = self._packed([held_out[index] for index in sample])
        self._sample_characters = sum(len(validation[index]) + 1 for index in sample)
        self._held_out = self._packed(held_out)
        self._characters = sum(len(post) + 1 for post in validation)
        self._steps_per_epoch = len(self._batches(1))
        self._steps = config.epochs * self._steps_per_epoch
        symbols = sum(post.size + 1 for post in self._posts)
        self._characters_per_symbol = sum(len(post) + 1 for post in train) / symbols
        self._origin = _origin(start, train, validation, config)
        self.history: list[EpochResult] = []
        self._best: Arrays = dict(start.weights)
        self._start_bits = self._rate = math.nan
        self._step = 0
        self._loss = self._count = 0.0  # since the last point
        self._point_seconds = 0.0
        self._saved = time.monotonic()
        self._learner = self._new_learner()
        validated = sum(float(batch.weights.sum()) for batch in self._sample) * config.points
        validated += 2 * sum(float(batch.weights.sum()) for batch in self._held_out)
        self._clock = Clock(total=config.epochs * symbols + VALIDATION_COST * validated)

    def _new_learner(self) -> AdapterLearner:
        config = self._config
        learner = learner_for(self._network, beta_2=config.beta_2, clip_norm=config.clip_norm)
        learner.start_over(self._start.weights)
        return learner

    def _sampled(self, held_out: Sequence[NDArray[Any]]) -> list[int]:
        """Return which held-out posts to validate each point on: at least one, and up to VALIDATION_SYMBOLS."""
        order = np.random.default_rng(self._config.seed).permutation(len(held_out)).tolist()
        sizes = np.cumsum([held_out[index].size + 1 for index in order])
        return sorted(order[: max(1, int(np.searchsorted(sizes, VALIDATION_SYMBOLS)))])

    def _packed(self, posts: Sequence[NDArray[Any]], rng: np.random.Generator | None = None) -> list[PackedBatch]:
        config = self._config
        return packed_batches(
            posts, rows=config.batch_size, length=config.sequence_length, end=self._network.end, rng=rng
        )

    def _batches(self, epoch: int) -> list[PackedBatch]:
        return self._packed(self._posts, np.random.default_rng([self._config.seed, epoch]))

    def _from_here(self) -> Iterator[PackedBatch]:
        """Yield the batches that are left, epoch by epoch."""
        begin, skipped = divmod(self._step, self._steps_per_epoch)
        for epoch in range(begin + 1, self._config.epochs + 1):
            yield from self._batches(epoch)[skipped:]
            skipped = 0

    def _end_of(self, point: int) -> int:
        """Return the number of steps at which this point (from 1) is reached."""
        return -(-self._steps * point // self._config.points)

    def take_up(self) -> None:
        """Resume from the saved state if it belongs to this job; ignore any other state."""
        try:
            arrays, facts = load_state(self._path)
            if facts["origin"] != self._origin:
                raise StateError(f"{self._path} belongs to another job")
            history = [EpochResult(**entry | {"samples": tuple(entry["samples"])}) for entry in facts["history"]]
            best = {name: arrays[f"best.{name}"] for name in self._start.weights}
            place = int(facts["step"]), float(facts["loss"]), float(facts["count"]), float(facts["point_seconds"])
            start_bits, done = float(facts["start_bits"]), float(facts["done"])
            self._learner.restore(arrays)
        except FileNotFoundError:
            return
        except (StateError, KeyError, TypeError, ValueError):
            # The restore may have been partial.
            self._learner = self._new_learner()
            return
        self.history, self._best, self._start_bits = history, best, start_bits
        self._step, self._loss, self._count, self._point_seconds = place
        self._clock.done = done

    @property
    def is_new(self) -> bool:
        """Whether nothing has been learned yet."""
        return self._step == 0

    def samples_before(self, count: int, accept: Callable[[str], bool] | None) -> tuple[str, ...]:
        """Return posts of the starting model with a few of the posts to learn in its context."""
        return self._written(Sampler(self._start, fitting(reversed(self._train))), count, 0, accept)

    def run(
        self,
        on_epoch: Callable[[EpochResult], None],
        sample_count: int,
        sample_filter: Callable[[str], bool] | None,
    ) -> FineTuneResult:
        begun, batches, stopped = time.monotonic(), self._from_here(), False
        if math.isnan(self._start_bits):
            self._start_bits = self._bits(self._held_out, self._characters, self._ask_cancel)[1]
        for point in range(len(self.history) + 1, self._config.points + 1):
            point_begun = time.monotonic() - self._point_seconds
            try:
                self._learn(batches, point, point_begun)
            except _Stop:
                stopped = True
                if self.history:
                    break
            loss, bits = self._bits(self._sample, self._sample_characters, self._ask_cancel)
            best = not self.history or loss < min(entry.validation_loss for entry in self.history)
            if best:
                self._best = self._learner.weights()
            self._report_progress(point, always=True)
            samples = self._samples(point, sample_count, sample_filter)
            train_loss = self._loss / self._count if self._count else math.nan
            seconds = time.monotonic() - point_begun
            result = EpochResult(point, train_loss, loss, bits, seconds, self._rate, samples, best)
            self.history.append(result)
            self._loss = self._count = self._point_seconds = 0.0
            # An incomplete point must not be resumed as a complete one.
            if not stopped:
                self._save()
            on_epoch(result)
            if stopped:
                break
        self._learner.set_weights(self._best)
        bits = self._bits(self._held_out, self._characters, self._ask_cancel)[1]
        return FineTuneResult(
            network=self._network,
            weights=self._best,
            history=list(self.history),
            best_epoch=min(self.history, key=lambda entry: (entry.validation_loss, entry.epoch)).epoch,
            interpolation=1.0,
            bits_per_character=bits,
            start_bits_per_character=self._start_bits,
            stopped_early=stopped,
            characters_per_second=self._clock.speed(),
            cores_used=0.0 if has_gpu() else self._clock.cores_used(),
            seconds=time.monotonic() - begun,
        )

    def _learn(self, batches: Iterator[PackedBatch], point: int, point_begun: float) -> None:
        """Train until the point is reached."""
        config, clock = self._config, self._clock
        while self._step < self._end_of(point):
            # A stop needs weights to keep, so it takes effect after the first step at the earliest.
            (self._ask if self._step else self._ask_cancel)()
            batch = next(batches)
            self._rate = learning_rate(
                peak=config.learning_rate,
                final=config.final_learning_rate,
                warmup_steps=config.warmup_steps,
                step=self._step,
                fraction=self._step / self._steps,
            )
            begun, core_begun = time.monotonic(), time.process_time()
            loss, symbols = self._learner.train(batch, learning_rate=self._rate)
            self._step += 1
            self._loss, self._count = self._loss + loss, self._count + symbols
            clock.done += symbols
            if clock.started:
                clock.training_seconds += time.monotonic() - begun
                clock.core_seconds += time.process_time() - core_begun
                clock.characters += symbols * self._characters_per_symbol
                self._report_progress(point)
            else:
                clock.start()
            if time.monotonic() - self._saved >= SAVE_SECONDS:
                self._point_seconds = time.monotonic() - point_begun
                self._save()

    def _bits(
        self, batches: Sequence[PackedBatch], characters: int, between: Callable[[], None]
    ) -> tuple[float, float]:
        """Return the loss (nats per symbol) and the bits per character."""
        total, count = self._learner.validate(batches, between)
        self._clock.done += VALIDATION_COST * count
        return total / count, total / math.log(2) / characters

    def _ask(self) -> None:
        asked = self._control()
        if asked == "cancel":
            raise Cancelled(mark("The fine-tune was cancelled."))
        if asked == "stop":
            raise _Stop

    def _ask_cancel(self) -> None:
        if self._control() == "cancel":
            raise Cancelled(mark("The fine-tune was cancelled."))

    def _report_progress(self, point: int, *, always: bool = False) -> None:
        now, clock = time.monotonic(), self._clock
        if now - clock.told < 0.25 and not always:
            return
        clock.told = now
        first = self._end_of(point - 1)
        self._on_progress(
            Progress(
                epoch=point,
                epochs=self._config.points,
                step=self._step - first,
                steps=self._end_of(point) - first,
                loss=self._loss / self._count if self._count else math.nan,
                fraction=clock.fraction(),
                characters_per_second=clock.speed(),
                seconds_left=clock.seconds_left(),
            )
        )

    def _samples(self, point: int, count: int, accept: Callable[[str], bool] | None) -> tuple[str, ...]:
        if count < 1:
            return ()
        current = Checkpoint(self._network, self._learner.weights(), {}, "")
        return self._written(Sampler(current), count, point, accept)

    def _written(
        self, sampler: Sampler, count: int, point: int, accept: Callable[[str], bool] | None
    ) -> tuple[str, ...]:
        """Return sample posts. Raises Cancelled if that is asked meanwhile."""
        config = SamplingConfig(count=count, seed=self._config.seed + point)
        return tuple(sampler.generate(config, accept=accept, proceed=self._ask_cancel).posts)

    def _save(self) -> None:
        arrays = self._learner.snapshot() | {f"best.{name}": array for name, array in self._best.items()}
        facts = {
            "origin": self._origin,
            "step": self._step,
            "loss": self._loss,
            "count": self._count,
            "point_seconds": self._point_seconds,
            "start_bits": self._start_bits,
            "done": self._clock.done,
            "history": [asdict(entry) for entry in self.history],
        }
        save_state(self._path, arrays, facts)
        self._saved = time.monotonic()


def _origin(start: Checkpoint, train: Sequence[str], validation: Sequence[str], config: AdapterConfig) -> str:
    """Return a fingerprint of everything that determines the result."""
    digest = hashlib.sha256()
    digest.update(json.dumps([start.network.as_dict(), config.as_dict(), len(train)], sort_keys=True).encode())
    for name in sorted(start.weights):
        digest.update(np.ascontiguousarray(start.weights[name]).tobytes())
    for post in (*train, *validation):
        digest.update(post.encode() + b"\xff")
    return digest.hexdigest()
