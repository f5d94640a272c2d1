"""What all fine-tunes do: train an epoch, validate it, write samples, keep the best weights, save, and resume.

Finally, the weights can be interpolated towards the initial weights as far as that improves validation. This reduces
overfitting to a small corpus, at the price of a few validations. (Weight-space ensembles of a model and its fine-tune:
"Robust fine-tuning of zero-shot models", Wortsman et al. 2022, arXiv:2109.01903, section 3.)

A subclass says how a network of its kind learns. Its state in `work_dir` lets a later call with the same arguments end
with the same weights as an uninterrupted run.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import Cancelled, TooFewPosts, mark
from models_app.ml.networks.phrases import Phrases
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.state_file import StateError, load_state, save_state

from .events import Control, EpochResult, FineTuneResult, Openings, Progress
from .progress_meter import Clock, RecentLoss
from .schedule import learning_rate

STATE: Final = "state.safetensors"
#: Characters of a continued opening. A longer post is cut.
CONTINUED: Final = 120
#: The loss that is reported between validations averages about this share of an epoch.
SMOOTHED: Final = 0.5
#: Positions between the initial weights (0) and the best epoch's (1) to validate at the end, as long as each improves.
INTERPOLATIONS: Final = (0.8, 0.6, 0.4)

Arrays = dict[str, NDArray[Any]]


class Settings(Protocol):
    """The settings that every fine-tune has."""

    @property
    def learning_rate(self) -> float: ...
    @property
    def final_learning_rate(self) -> float: ...
    @property
    def warmup_steps(self) -> int: ...
    @property
    def seed(self) -> int: ...
    def as_dict(self) -> dict[str, Any]: ...


class Step(Protocol):
    """Trains one step; returns the summed loss in nats and its number of symbols."""

    def __call__(self, *, learning_rate: float) -> tuple[float, float]: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """Weights to keep.

    interpolation: how far they are on the way from the initial weights (0) to those of `epoch` (1).
    """

    weights: Arrays
    epoch: int
    interpolation: float
    bits_per_character: float


class Stop(Exception):
    """The person asked to stop now and keep the best epoch."""


class FineTuning(ABC):
    """One fine-tune. `epochs`: how often it validates; `origin`: a fingerprint of all that determines the result.

    The subclass sets `clock`, whose total is the work in symbols, and `measured_posts`, the number of posts that the
    first and the final weights are measured on. `take_up` or `run` call `begin`, which takes seconds.
    """

    #: Whether a stop is also obeyed while an epoch is validated, which loses that epoch if there are earlier ones.
    stops_while_validating: ClassVar[bool] = True

    clock: Clock
    measured_posts: int
    characters_per_symbol: float

    def __init__(
        self,
        *,
        start: Checkpoint,
        settings: Settings,
        epochs: int,
        origin: str,
        work_dir: Path,
        on_progress: Callable[[Progress], None],
        control: Control,
    ) -> None:
        self.start, self.settings, self.epochs = start, settings, epochs
        self._origin, self._path = origin, work_dir / STATE
        self._on_progress, self._control = on_progress, control
        self.history: list[EpochResult] = []
        self.best: Arrays = dict(start.weights)
        self.start_bits = self.rate = math.nan
        self.place = (0, 0, 0)  # epoch, step, steps
        self.loss = self.count = 0.0  # of this epoch so far
        self.recent = RecentLoss()
        self.seconds = 0.0  # spent on this epoch before `epoch_begun`
        self.epoch_begun = time.monotonic()
        self._begun = False  # whether there is a learner
        self.phrases: Phrases | None = None  # `ended` may set them

    @abstractmethod
    def begin(self) -> None:
        """Make a learner with the initial weights."""

    @abstractmethod
    def learn(self, epoch: int) -> None:
        """Train until this epoch is complete. Raises Stop or Cancelled when asked to."""

    @abstractmethod
    def measured(self, epoch: int, between: Callable[[], None]) -> tuple[Arrays, float, float]:
        """Return the epoch's weights, their validation loss and their bits per character; call `between` often."""

    @abstractmethod
    def validated_start(self) -> float:
        """Return the bits per character of the initial weights, which the learner has."""

    @abstractmethod
    def ended(self, best: EpochResult) -> Kept:
        """Return the weights to keep: those of the best epoch, or better ones on the way to an epoch."""

    @abstractmethod
    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Return what `restore` needs: arrays and facts."""

    @abstractmethod
    def restore(self, arrays: Arrays, facts: Mapping[str, Any]) -> None:
        """Continue from a saved state. Raises StateError, KeyError, TypeError or ValueError if it's unusable."""

    def interpolated(
        self,
        best: Kept,
        loss: float,
        measure: Callable[[Arrays], tuple[float, float]],
        last: Arrays | None = None,
    ) -> Kept:
        """Return the best weights between the initial and the best epoch's.

        `loss` is that of the best epoch's weights; `measure` returns the loss and the bits of others. With `last`, the
        weights of the last epoch, those between the initial and these are tried instead.
        """
        found, lowest = best, loss
        end, epoch, previous = (best.weights, best.epoch, loss) if last is None else (last, self.epochs, math.inf)
        for position in INTERPOLATIONS:
            weights = {
                name: np.float32(1 - position) * self.start.weights[name] + np.float32(position) * array
                for name, array in end.items()
            }
            nearer, bits = measure(weights)
            if nearer >= previous:
                # Along the line, the loss falls and then rises: further back it's even higher.
                break
            previous = nearer
            if nearer < lowest:
                found, lowest = Kept(weights, epoch, position, bits), nearer
        self.clock.done = self.clock.total
        self.report_progress(always=True)
        return found

    def after(self, epoch: int, weights: Arrays) -> None:  # noqa: B027
        """Keep what later epochs need of a finished one."""

    def take_up(self) -> None:
        """Resume from the saved state if it belongs to this job; ignore any other state."""
        try:
            arrays, facts = load_state(self._path)
            if facts["origin"] != self._origin:
                raise StateError("it belongs to another job")
            history = [EpochResult(**entry | {"samples": tuple(entry["samples"])}) for entry in facts["history"]]
            best = {name: arrays[f"best.{name}"] for name in self.start.weights}
            start_bits = float(facts["start_bits"])
            self.begin()
            self.restore(arrays, facts)
        except (FileNotFoundError, StateError, KeyError, TypeError, ValueError):
            # The restore may have been partial, so `run` begins anew.
            return
        self.history, self.best, self.start_bits, self._begun = history, best, start_bits, True

    def save(self) -> None:
        """Write the state to the work_dir."""
        arrays, facts = self.state()
        arrays = arrays | {f"best.{name}": array for name, array in self.best.items()}
        facts = {
            **facts,
            "origin": self._origin,
            "start_bits": self.start_bits,
            "history": [asdict(entry) for entry in self.history],
        }
        save_state(self._path, arrays, facts)

    def run(
        self,
        on_epoch: Callable[[EpochResult], None],
        sample_count: int,
        sample_filter: Callable[[str], bool] | None,
        openings: Openings | None = None,
    ) -> FineTuneResult:
        """Train the epochs that are left and return the result."""
        # Of earlier attempts, the time of what they have kept counts.
        earlier = sum(entry.seconds for entry in self.history) + self.seconds
        begun, stopped = time.monotonic() - earlier, False
        if not self._begun:
            self.begin()
        prompts = () if openings is None else openings.texts
        if openings is not None and prompts and not self.history:
            openings.before(self.continued(Sampler(self.start), prompts, sample_filter))
        if math.isnan(self.start_bits):
            self.start_bits = self.validated_start()
        for epoch in range(len(self.history) + 1, self.epochs + 1):
            self.epoch_begun = time.monotonic() - self.seconds
            try:
                self.learn(epoch)
                weights, loss, bits = self.measured(epoch, self.ask if self.stops_while_validating else self.ask_cancel)
            except Stop:
                stopped = True
                if self.history:
                    break
                weights, loss, bits = self.measured(epoch, self.ask_cancel)
            self.report_progress(always=True)
            samples: tuple[str, ...] = ()
            continued: dict[str, str] = {}
            if sample_count > 0:
                sampler = Sampler(Checkpoint(self.start.network, weights, {}, ""))
                samples = self.written(sampler, sample_count, epoch, sample_filter)
                continued = self.continued(sampler, prompts, sample_filter)
            best = not self.history or loss < min(entry.validation_loss for entry in self.history)
            seconds = time.monotonic() - self.epoch_begun
            result = EpochResult(epoch, self.train_loss(), loss, bits, seconds, self.rate, samples, best, continued)
            self.history.append(result)
            self.loss = self.count = self.seconds = 0.0
            if best:
                self.best = weights
            self.after(epoch, weights)
            # An incomplete epoch must not be resumed as a complete one.
            if not stopped:
                self.save()
            on_epoch(result)
            if stopped:
                break
        kept = self.ended(min(self.history, key=lambda entry: (entry.validation_loss, entry.epoch)))
        samples = self.history[kept.epoch - 1].samples
        if sample_count > 0 and (kept.interpolation < 1 or self.phrases is not None):
            sampler = Sampler(Checkpoint(self.start.network, kept.weights, {}, "", self.phrases))
            samples = self.written(sampler, sample_count, self.epochs + 1, sample_filter)
        return FineTuneResult(
            network=self.start.network,
            weights=kept.weights,
            history=list(self.history),
            kept_epoch=kept.epoch,
            interpolation=kept.interpolation,
            samples=samples,
            bits_per_character=kept.bits_per_character,
            start_bits_per_character=self.start_bits,
            measured_posts=self.measured_posts,
            stopped_early=stopped,
            characters_per_second=self.clock.speed(),
            seconds=time.monotonic() - begun,
            phrases=self.phrases,
        )

    def step(self, train: Step, *, number: int, fraction: float, place: tuple[int, int, int]) -> None:
        """Train one step and report it.

        `number` counts the steps of the schedule from 0; `fraction`: how much of the schedule is done; `place`: epoch,
        step and steps after this step.
        """
        settings, clock = self.settings, self.clock
        self.rate = learning_rate(
            peak=settings.learning_rate,
            final=settings.final_learning_rate,
            warmup_steps=settings.warmup_steps,
            step=number,
            fraction=fraction,
        )
        begun = time.monotonic()
        loss, symbols = train(learning_rate=self.rate)
        self.recent.add(loss, symbols, steps=SMOOTHED * place[2], so_far=self.mean_loss())
        self.loss, self.count, self.place = self.loss + loss, self.count + symbols, place
        clock.done += symbols
        if clock.started:
            clock.training_seconds += time.monotonic() - begun
            clock.characters += symbols * self.characters_per_symbol
            self.report_progress()
        else:
            clock.start()

    def train_loss(self) -> float:
        """Return the training loss that counts as the epoch's, in nats per symbol."""
        return self.mean_loss()

    def recent_loss(self) -> float:
        """Return the smoothed loss, which goes on from epoch to epoch; before the first step, the last epoch's."""
        return self.mean_loss() if math.isnan(self.recent.mean()) else self.recent.mean()

    def mean_loss(self) -> float:
        """Return the mean loss of this epoch so far or, before its first step, of the last one."""
        if self.count:
            return self.loss / self.count
        return self.history[-1].train_loss if self.history else math.nan

    def ask(self) -> None:
        asked = self._control()
        if asked == "cancel":
            raise Cancelled(mark("The fine-tune was cancelled."))
        if asked == "stop":
            raise Stop

    def ask_cancel(self) -> None:
        if self._control() == "cancel":
            raise Cancelled(mark("The fine-tune was cancelled."))

    def report_progress(self, *, always: bool = False) -> None:
        """Report where the training is, up to about four times a second."""
        now, clock = time.monotonic(), self.clock
        if now - clock.told < 0.25 and not always:
            return
        clock.told = now
        epoch, step, steps = self.place
        self._on_progress(
            Progress(
                epoch=epoch,
                epochs=self.epochs,
                step=step,
                steps=steps,
                loss=self.recent_loss(),
                fraction=clock.fraction(),
                characters_per_second=clock.speed(),
                seconds_left=clock.seconds_left(),
            )
        )

    def written(
        self, sampler: Sampler, count: int, epoch: int, accept: Callable[[str], bool] | None
    ) -> tuple[str, ...]:
        """Return sample posts. Raises Cancelled if that is asked meanwhile."""
        config = SamplingConfig(count=count, seed=self.settings.seed + epoch)
        return tuple(sampler.generate(config, accept=accept, proceed=self.ask_cancel).posts)

    def continued(
        self, sampler: Sampler, openings: Sequence[str], accept: Callable[[str], bool] | None
    ) -> dict[str, str]:
        """Return a post for each opening, always drawn with the same seed. Raises Cancelled if that is asked meanwhile.

        An opening for which every post is refused is left out. Each is a single draft, which is soon there.
        """
        found: dict[str, str] = {}
        for opening in openings:
            config = SamplingConfig(prompt=opening, seed=self.settings.seed, max_characters=CONTINUED, best_of=1)
            for post in sampler.generate(config, accept=accept, proceed=self.ask_cancel, cut=True).posts:
                found[opening] = post if len(post) < CONTINUED else f"{post}…"
        return found


def require_posts(train: Sequence[str], validation: Sequence[str]) -> None:
    """Raise TooFewPosts unless there are posts on both sides."""
    if not train or not validation:
        raise TooFewPosts(
            mark("A fine-tune needs at least one post for training and one for validation. Add more posts.")
        )


def origin_of(start: Checkpoint, settings: Settings, count: int, posts: Iterable[bytes]) -> str:
    """Return a fingerprint of everything that determines the result. `count`: the posts for training."""
    digest = hashlib.sha256()
    digest.update(json.dumps([start.network.as_dict(), settings.as_dict(), count], sort_keys=True).encode())
    for name in sorted(start.weights):
        digest.update(np.ascontiguousarray(start.weights[name]).tobytes())
    for post in posts:
        digest.update(post)
    return digest.hexdigest()
