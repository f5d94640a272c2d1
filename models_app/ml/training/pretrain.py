"""Base training: one long training on a corpus of any size that can be stopped and resumed.

`directory` gets the checkpoint with the best validation loss. `directory/.training/` holds the state for resuming,
`directory/training.csv` the losses as a table.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint, recover, save
from models_app.ml.config import NetworkConfig, PretrainConfig
from models_app.ml.errors import BadSetting, Cancelled, CheckpointError, mark
from models_app.ml.networks.registry import Network, kind_of
from models_app.ml.state_file import StateError, load_state, save_state

from . import losses
from .averaging import WeightAverage
from .dataset import stream_posts
from .events import Control, PretrainMeasuring, PretrainProgress, PretrainValidation
from .held_out import HeldOut
from .interrupts import interruptible
from .mention_augmentation import Renaming
from .progress_meter import Clock
from .schedule import learning_rate
from .subjects import Stream, subject_of

__all__ = ["Budget", "PretrainMeasuring", "PretrainProgress", "PretrainValidation", "pretrain"]

STATE: Final = Path(".training") / "state.safetensors"
LOSSES: Final = "training.csv"
#: Weights are stored as float16 if that costs at most this many bits per character.
HALF_COSTS: Final = 0.0005
_POSTS_BETWEEN_LOOKS: Final = 4096
#: Seconds between two reports of progress.
_PAUSE: Final = 5


class _EndAsked(Exception):
    """The training is to end here, and its state is still to be saved."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The length of a training: minutes of pure training, or megabytes (10**6 bytes) read.

    The learning rate schedule follows it. With megabytes, a busy machine trains the same model as an idle one. Raises
    ValueError unless exactly one is given and positive.
    """

    minutes: float | None = None
    megabytes: float | None = None

    def __post_init__(self) -> None:
        given = [amount for amount in (self.minutes, self.megabytes) if amount is not None]
        if len(given) != 1 or not 0 < given[0] < math.inf:
            raise BadSetting(mark("Set how long to train: either minutes or megabytes, more than 0."))

    def spent(self, seconds: float, bytes_seen: int) -> float:
        """Return the fraction spent: 0 to 1, or more at the end."""
        return seconds / 60 / self.minutes if self.minutes else bytes_seen / 1e6 / (self.megabytes or 1)


@dataclass(slots=True)
class _Run:
    """The figures that change during training; saved with the state."""

    elapsed: float = 0.0  # seconds of training, without validation and start-up
    steps: int = 0
    bytes_seen: int = 0
    loss_sum: float = 0.0
    loss_count: float = 0.0
    last_validation: float = 0.0
    best_loss: float = math.inf
    best_minutes: float = 0.0
    validations: int = 0

    def facts(self) -> dict[str, Any]:
        best = None if math.isinf(self.best_loss) else self.best_loss
        return {name: getattr(self, name) for name in self.__slots__} | {"best_loss": best}

    def train_loss(self) -> float:
        return self.loss_sum / self.loss_count if self.loss_count else math.nan


def pretrain(
    *,
    corpus: Sequence[Path],
    validation: Path,
    directory: Path,
    budget: Budget,
    resume: bool,
    network: Network | None = None,
    config: PretrainConfig | None = None,
    start: Checkpoint | None = None,
    on_progress: Callable[[PretrainProgress], None] = lambda _: None,
    on_validation: Callable[[PretrainValidation], None] = lambda _: None,
    on_measuring: Callable[[PretrainMeasuring], None] = lambda _: None,
    control: Control = lambda: "go",
) -> Checkpoint:
    """Train a base model in the directory for this budget and return it.

    With `resume`, continues from the training state in the directory, if there is one, with the same schedule. Without
    it, starts over from the weights of `start` if given, else from initial weights of `network`. At the end, the best
    weights are measured on the whole validation file, and `on_measuring` is called before and during that.

    "stop" ends early with the best weights so far. "cancel", SIGINT and SIGTERM save the state and raise Cancelled. So
    does "pause", except while the best weights are measured. Raises CheckpointError for an unusable training state.
    """
    network = start.network if start else network or NetworkConfig()
    with interruptible(control) as asked:
        work = _Pretraining(corpus, validation, directory, budget, network, config or PretrainConfig(), start, asked)
        directory.parent.mkdir(parents=True, exist_ok=True)
        recover(directory)
        if resume and (directory / STATE).exists():
            work.resume()
        else:
            work.start()
        return work.run(on_progress, on_validation, on_measuring)


class _Pretraining:
    def __init__(
        self,
        corpus: Sequence[Path],
        validation: Path,
        directory: Path,
        budget: Budget,
        network: Network,
        config: PretrainConfig,
        begin: Checkpoint | None,
        control: Control,
    ) -> None:
        self._corpus, self._directory, self._network, self._config = list(corpus), directory, network, config
        self._budget, self._begin, self._control = budget, begin, control
        first = begin.weights if begin else kind_of(network).first_weights(network, config.seed)
        self._best: dict[str, NDArray[Any]] = dict(first)
        self._subject = subject_of(network, config, self._best)
        self._learner, self._vocabulary = self._subject.learner, self._subject.vocabulary
        self._average = WeightAverage(self._best, config.averaging)
        self._sample = HeldOut.read(validation, self._vocabulary, stride=config.validation_stride)
        self._validation_file = validation
        self._run = _Run()
        self._renaming = Renaming(self._every_post(), names=config.new_names, tags=config.new_tags)

    def _every_post(self) -> Iterator[str]:
        """Yield the whole corpus. This takes a while; cancelling it leaves a saved state untouched."""
        for number, post in enumerate(stream_posts(self._corpus), start=1):
            if number % _POSTS_BETWEEN_LOOKS == 0 and self._control() in ("pause", "cancel"):
                raise Cancelled(mark("Training stopped before it began. Run it again with resume to continue."))
            yield post

    def start(self) -> None:
        self._packer = self._packed(None)
        self._subject.start()
        self._directory.mkdir(parents=True, exist_ok=True)
        # First of all: a training killed before its first save must not resume from an earlier one's state.
        (self._directory / STATE).unlink(missing_ok=True)
        losses.begin(self._directory / LOSSES)

    def resume(self) -> None:
        path = self._directory / STATE
        try:
            arrays, facts = load_state(path)
            if self._completed(facts["origin"]) != self._origin():
                raise StateError("it belongs to another corpus, network, configuration or validation file")
            run = dict(facts["run"])
            run["best_loss"] = math.inf if run["best_loss"] is None else run["best_loss"]
            self._run = _Run(**run)
            self._packer = self._packed(facts["position"])
            self._learner.restore(arrays)
            self._average.restore(arrays, self._run.steps)
            self._best = {name: arrays[f"best.{name}"] for name in self._best}
        except (StateError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                mark("Training can’t resume from %(file)s (%(reason)s). Run it without resume to start over."),
                file=path,
                reason=error,
            ) from error
        # The losses after the saved state will be written again; the curve must not have them twice.
        losses.forget_after(self._directory / LOSSES, self._run.bytes_seen)

    def run(
        self,
        on_progress: Callable[[PretrainProgress], None],
        on_validation: Callable[[PretrainValidation], None],
        on_measuring: Callable[[PretrainMeasuring], None],
    ) -> Checkpoint:
        try:
            self._train(on_progress, on_validation)
            self._save_state()
            return self._measured(on_measuring)
        except _EndAsked:
            self._save_state()
            minutes = self._run.elapsed / 60
            raise Cancelled(
                mark("Training stopped after %(minutes)s minutes. Run it again with resume to continue."),
                minutes=f"{minutes:.1f}",
            ) from None

    def _asked(self, *, may_pause: bool = True) -> str:
        """Return whether to go on or to stop. Raises _EndAsked."""
        asked = self._control()
        if asked == "cancel" or (asked == "pause" and may_pause):
            raise _EndAsked
        return asked

    def _between(self, _symbols: float) -> None:
        self._asked()

    def _train(
        self,
        on_progress: Callable[[PretrainProgress], None],
        on_validation: Callable[[PretrainValidation], None],
    ) -> None:
        config, run = self._config, self._run
        saved = told = run.elapsed
        since = (run.elapsed, run.bytes_seen)
        first = True
        while self._spent() < 1:
            # A stop needs something learned to keep, so it takes effect after the first step at the earliest.
            if self._asked() == "stop" and run.steps:
                break
            begun = time.monotonic()
            rate = self._rate()
            batch = next(self._packer)
            loss, count = self._subject.train(batch, learning_rate=rate, step=run.steps)
            # The first step builds the graph, which doesn't count as training.
            run.elapsed += 0 if first else time.monotonic() - begun
            first = False
            run.steps += 1
            self._average.follow(run.steps, self._learner.weights)
            run.bytes_seen += self._vocabulary.bytes_of(batch.targets)
            run.loss_sum, run.loss_count = run.loss_sum + loss, run.loss_count + count
            if run.elapsed - told >= _PAUSE:
                on_progress(self._progress(rate, since))
                told, since = run.elapsed, (run.elapsed, run.bytes_seen)
            is_due = self._is_validation_due()
            result = self._validated() if is_due else None
            # If validations are counted, a killed training doesn't repeat one.
            if run.elapsed - saved >= config.save_minutes * 60 or (is_due and config.validations):
                self._save_state()
                saved = run.elapsed
            if result is not None:
                on_validation(result)
        if run.loss_count:
            on_validation(self._validated())

    def _rate(self) -> float:
        config, run = self._config, self._run
        return learning_rate(
            peak=config.learning_rate,
            final=config.final_learning_rate,
            warmup_steps=config.warmup_steps,
            step=run.steps,
            fraction=self._spent(),
        )

    def _spent(self) -> float:
        return self._budget.spent(self._run.elapsed, self._run.bytes_seen)

    def _is_validation_due(self) -> bool:
        config, run = self._config, self._run
        if config.validations:
            return math.floor(min(1.0, self._spent()) * config.validations) > run.validations
        return run.elapsed - run.last_validation >= config.validation_minutes * 60

    def _progress(self, rate: float, since: tuple[float, int]) -> PretrainProgress:
        run = self._run
        speed = (run.bytes_seen - since[1]) / (run.elapsed - since[0])
        spent = self._spent()
        left = run.elapsed * (1 - spent) / spent
        return PretrainProgress(run.elapsed / 60, spent, run.bytes_seen, speed, rate, run.train_loss(), left)

    def _validated(self) -> PretrainValidation:
        """Validate on the sample, keep the weights if they're the best, and write checkpoint and losses."""
        run, rate = self._run, self._rate()
        candidate = self._average.weights() if self._average else self._learner.weights()
        loss = self._loss(self._sample, candidate, self._between)
        bits, train_loss = self._sample.bits(loss), run.train_loss()
        best = loss < run.best_loss
        # Of those that are due at once, one is done.
        run.validations = math.floor(min(1.0, self._spent()) * self._config.validations)
        run.last_validation, run.loss_sum, run.loss_count = run.elapsed, 0.0, 0.0
        if best:
            run.best_loss, run.best_minutes = loss, run.elapsed / 60
            self._best = candidate
            self._write({"validation_loss": loss, "bits_per_character": bits, "train_loss": train_loss, "sample": True})
        row = [f"{run.elapsed / 60:.2f}", run.bytes_seen, f"{rate:.6f}", f"{train_loss:.5f}", f"{loss:.5f}"]
        losses.append(self._directory / LOSSES, row)
        return PretrainValidation(run.elapsed / 60, run.bytes_seen, rate, train_loss, loss, bits, best)

    def _loss(self, posts: HeldOut, weights: Mapping[str, NDArray[Any]], after_batch: Callable[[float], None]) -> float:
        """Return the loss with these weights (nats per symbol). The training keeps its own, whatever happens."""
        now = self._learner.weights()
        self._learner.set_weights(weights)
        try:
            return posts.loss(self._subject, after_batch)
        finally:
            self._learner.set_weights(now)

    def _measured(self, on_measuring: Callable[[PretrainMeasuring], None]) -> Checkpoint:
        """Measure the best weights on the whole validation file and write them, in half precision if that's as good."""
        on_measuring(PretrainMeasuring(0.0, None))
        sample, whole = self._sample, HeldOut.read(self._validation_file, self._vocabulary)
        clock = Clock(total=2 * sample.symbols + whole.symbols)
        clock.start()

        def after_batch(symbols: float) -> None:
            # It isn't paused: it would have to begin again.
            self._asked(may_pause=False)
            clock.done += symbols
            now = time.monotonic()
            if now - clock.told >= _PAUSE:
                clock.told = now
                on_measuring(PretrainMeasuring(clock.fraction(), clock.seconds_left()))

        halves = {name: array.astype(np.float16) for name, array in self._best.items()}
        # The difference on the sample is exact enough, and the whole file is read only once.
        costs = sample.bits(self._loss(sample, halves, after_batch) - self._loss(sample, self._best, after_batch))
        half = costs <= HALF_COSTS
        loss = self._loss(whole, halves if half else self._best, after_batch)
        figures = {"validation_loss": loss, "bits_per_character": whole.bits(loss), "half_costs": costs}
        return self._write({**figures, "sample": False}, half=half)

    def _write(self, figures: dict[str, Any], *, half: bool = False) -> Checkpoint:
        run, begin = self._run, self._begin
        earlier = {"sha256": begin.sha256, "bytes_seen": begin.meta.get("bytes_seen")} if begin else None
        meta = {
            "name": "base",
            "corpus": [{"file": path.name, "bytes": path.stat().st_size} for path in self._corpus],
            "validation": self._validation_file.name,
            "bytes_seen": run.bytes_seen,
            "started_from": earlier,
            "minutes": round(run.elapsed / 60, 2),
            "best_minutes": round(run.best_minutes, 2),
            "config": self._config.as_dict(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        return save(self._directory, network=self._network, weights=self._best, meta=meta | figures, half=half)

    def _save_state(self) -> None:
        best = {f"best.{name}": array for name, array in self._best.items()}
        arrays = self._learner.snapshot() | self._average.snapshot() | best
        facts = {"origin": self._origin(), "run": self._run.facts(), "position": self._packer.position()}
        save_state(self._directory / STATE, arrays, facts)

    def _origin(self) -> dict[str, Any]:
        """Return the settings that must match to resume from a saved state; the budget may differ."""
        files = [path.name for path in self._corpus]
        return {
            "corpus": files,
            "validation": self._validation_file.name,
            "network": self._network.as_dict(),
            "config": self._config.as_dict(),
        }

    def _completed(self, origin: dict[str, Any]) -> dict[str, Any]:
        """Return the origin in a saved state with the settings that are newer than the state."""
        config = PretrainConfig.from_dict(origin["config"]).as_dict()
        return {"validation": self._validation_file.name, **origin, "config": config}

    def _packed(self, position: Mapping[str, Any] | None) -> Stream:
        return self._subject.stream(self._corpus, self._renaming, position)
