"""The fine-tune of a pretrained model: trains an adapter on one person's posts and keeps the best point.

One reading of the posts takes minutes, so what a small network's training does after each epoch happens here at
several points within it: validation on a fixed sample of the held-out posts, samples of new ones, and the best weights
so far. In between, the full state is saved in `work_dir` every SAVE_SECONDS. A later call with the same arguments
resumes from there and ends with the same weights as an uninterrupted run. If all posts have been read, the weights are
interpolated at the end (`fine_tuning`); in a part of many posts, nothing is learned too well. Then the person's phrases
are counted, and kept if they help (`networks.phrases`), beside those of the starting model.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.networks import phrases as counting
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.store import LIBRARY
from models_app.ml.networks.phrases import Phrases
from models_app.ml.sampling.context import fitting
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.training import prebuilt
from models_app.ml.training.events import Control, EpochResult, FineTuneResult, Openings, Progress
from models_app.ml.training.fine_tuning import INTERPOLATIONS, Arrays, FineTuning, Kept, origin_of, require_posts
from models_app.ml.training.progress_meter import Clock, RecentLoss
from models_app.ml.training.topics import TopicLines

from .config import AdapterConfig
from .measuring import nats_with
from .packing import PackedBatch, packed_batches
from .prebuilt import learner_for

#: At most this much work is lost if a worker is killed.
SAVE_SECONDS: Final = 20.0
#: Symbols of held-out posts that each point is measured on, and the first and the best weights.
VALIDATION_SYMBOLS: Final = 3000
HELD_OUT_SYMBOLS: Final = 5000
#: How much the phrases may count, as factors of their usual weight. Those of a person who changes mislead.
TRUSTS: Final = (0.5, 1.0)
#: Tells the random numbers of topics from those of epochs.
TOPICS_SEED: Final = 2**20
#: The cost of validating a symbol relative to training on it.
VALIDATION_COST: Final = 0.35


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
    openings: Openings | None = None,
    on_before: Callable[[Sequence[str]], None] | None = None,
    start_guard: CopyGuard | None = None,
    on_saved: Callable[[], None] = lambda: None,
) -> FineTuneResult:
    """Return the adapter trained on `train`, with the best weights on `validation`.

    The arguments are those of `training.trainer.fine_tune`; each `EpochResult` is a point of the training, counted from
    1 to `config.points`, or to the number of steps if that's smaller. Before anything is learned, `on_before` gets
    posts of `start` with some of `train` in its context, unless the job resumes. It gets them before the graphs are
    built, so a person soon has something to read. `start_guard` knows the posts that `start` and its parents learned
    from. `on_saved` is called each time that the state between two points is saved. Raises the same errors.
    """
    prebuilt.stand_back()
    require_posts(train, validation)
    job = _FineTune(
        start=start,
        train=train,
        validation=validation,
        config=config,
        work_dir=work_dir,
        on_progress=on_progress,
        control=control,
        start_guard=start_guard,
        on_saved=on_saved,
    )
    job.take_up()
    if on_start is not None:
        on_start(tuple(job.history))
    if on_before is not None and sample_count and job.is_new:
        on_before(job.samples_before(sample_count, sample_filter))
    return job.run(on_epoch, sample_count, sample_filter, openings)


class _FineTune(FineTuning):
    """Its epochs are the points."""

    # A point takes minutes, validating it on the sample a second.
    stops_while_validating = False

    def __init__(
        self,
        *,
        start: Checkpoint,
        train: Sequence[str],
        validation: Sequence[str],
        config: AdapterConfig,
        work_dir: Path,
        on_progress: Callable[[Progress], None],
        control: Control,
        start_guard: CopyGuard | None,
        on_saved: Callable[[], None],
    ) -> None:
        if not isinstance(start.network, LlamaConfig):
            raise TypeError(f"An adapter needs a Llama, not a network of kind {start.network.kind}.")
        super().__init__(
            start=start,
            settings=config,
            epochs=config.points,
            origin=origin_of(start, config, len(train), (post.encode() + b"\xff" for post in (*train, *validation))),
            work_dir=work_dir,
            on_progress=on_progress,
            control=control,
        )
        self._network, self._config, self._start_guard = start.network, config, start_guard
        self._vocabulary = LIBRARY.get(self._network.pretrained).vocabulary
        self._train = newest(train, config.most_characters)
        self._posts = [self._vocabulary.encode(post) for post in self._train]
        # The same in each reading, so that all have the same number of steps.
        self._topics = TopicLines(self._vocabulary, share=config.topics).of(
            self._posts, np.random.default_rng([config.seed, TOPICS_SEED])
        )
        held_out = [self._vocabulary.encode(post) for post in validation]
        self._sample, self._sample_characters, _ = self._some_of(validation, held_out, VALIDATION_SYMBOLS)
        self._held_out, self._characters, self.measured_posts = self._some_of(validation, held_out, HELD_OUT_SYMBOLS)
        self._steps_per_epoch = len(self._batches(1))
        self._steps = config.epochs * self._steps_per_epoch
        # A point without a step of its own would only measure the same weights again.
        self.epochs = min(config.points, self._steps)
        symbols = sum(post.size + 1 for post in self._posts)
        self.characters_per_symbol = sum(len(post) + 1 for post in self._train) / symbols
        validated = sum(float(batch.weights.sum()) for batch in self._sample) * self.epochs
        self._interpolates = len(self._train) == len(train)
        # The first weights, the best, and those between them.
        times = 2 + (len(INTERPOLATIONS) if self._interpolates else 0)
        validated += times * sum(float(batch.weights.sum()) for batch in self._held_out)
        self.clock = Clock(total=config.epochs * symbols + VALIDATION_COST * validated)
        self._step = 0
        self._left = self._from_here()
        self._tried: list[Phrases | None] = [None]
        self._lowest = self._lowest_bits = math.inf
        self._saved, self._on_saved = time.monotonic(), on_saved

    def begin(self) -> None:
        config = self._config
        self._learner = learner_for(self._network, beta_2=config.beta_2, clip_norm=config.clip_norm)
        self._learner.start_over(self.start.weights)

    @property
    def is_new(self) -> bool:
        """Whether nothing has been learned yet."""
        return self._step == 0

    def samples_before(self, count: int, accept: Callable[[str], bool] | None) -> tuple[str, ...]:
        """Return posts of the starting model with a few of the posts to learn in its context."""
        return self.written(Sampler(self.start, fitting(reversed(self._train))), count, 0, accept)

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        facts = {
            "step": self._step,
            "loss": self.loss,
            "count": self.count,
            "point_seconds": self.seconds,
            "done": self.clock.done,
            "recent": [self.recent.loss, self.recent.count],
        }
        return self._learner.snapshot(), facts

    def restore(self, arrays: Arrays, facts: Mapping[str, Any]) -> None:
        step, done = int(facts["step"]), float(facts["done"])
        of_point = float(facts["loss"]), float(facts["count"]), float(facts["point_seconds"])
        # Trainings of earlier versions begin it anew.
        recent = RecentLoss(*facts.get("recent", ()))
        self._learner.restore(arrays)
        self._step, self.clock.done, self.recent = step, done, recent
        self.loss, self.count, self.seconds = of_point

    def save(self) -> None:
        super().save()
        self._saved = time.monotonic()

    def train_loss(self) -> float:
        """Return the smoothed loss: the parts of an epoch are stages of one curve."""
        return self.recent_loss()

    def validated_start(self) -> float:
        return self._bits_with([self.start.phrases])[0]

    def learn(self, epoch: int) -> None:
        first, end = self._end_of(epoch - 1), self._end_of(epoch)
        self.place = (epoch, self._step - first, end - first)
        while self._step < end:
            # A stop needs weights to keep, so it takes effect after the first step at the earliest.
            (self.ask if self._step else self.ask_cancel)()
            train = partial(self._learner.train, next(self._left))
            place = (epoch, self._step + 1 - first, end - first)
            self.step(train, number=self._step, fraction=self._step / self._steps, place=place)
            self._step += 1
            if time.monotonic() - self._saved >= SAVE_SECONDS:
                self.seconds = time.monotonic() - self.epoch_begun
                self.save()
                self._on_saved()

    def measured(self, epoch: int, between: Callable[[], None]) -> tuple[Arrays, float, float]:
        return self._learner.weights(), *self._bits(self._sample, self._sample_characters, between)

    def ended(self, best: EpochResult) -> Kept:
        self._tried = [None, *(each.trusted(trust) for each in self._counted() if len(each) for trust in TRUSTS)]
        # A later point can be worse, because it has learned too much, and yet better on the way to it.
        is_later = self._step == self._steps and best.epoch < self.epochs
        last = self._learner.weights() if is_later else None
        loss, bits = self._bits_of(self.best)
        kept = Kept(self.best, best.epoch, 1.0, bits)
        if self._interpolates:
            kept = self.interpolated(kept, loss, self._bits_of, last)
        return replace(kept, bits_per_character=self._lowest_bits)

    def _counted(self) -> list[Phrases]:
        """Return the phrases of the posts, and if the starting model has some, those of the new ones beside them.

        The posts may be of another person, or include all that the starting model learned.
        """
        own = Phrases.of(self._posts, self._network.end)
        if self.start.phrases is None:
            return [own]
        recent = counting.newest(self._posts)
        new = []
        for text, post in zip(self._train[len(self._train) - len(recent) :], recent, strict=True):
            self.ask_cancel()
            if self._start_guard is None or not self._start_guard.is_copy(text):
                new.append(post)
        return [own, Phrases.of(new, self._network.end, beside=self.start.phrases)]

    def _bits_of(self, weights: Arrays) -> tuple[float, float]:
        """Return the bits without phrases on more of the held-out posts than the points, as loss and as bits.

        For the best of the weights that it's called with, it keeps the phrases as far as they predict these posts
        better, and the bits with them.
        """
        self._learner.set_weights(weights)
        alone, *others = self._bits_with(self._tried)
        if alone < self._lowest:
            bits = [alone, *others]
            least = int(np.argmin(bits))
            self._lowest, self._lowest_bits, self.phrases = alone, bits[least], self._tried[least]
        return alone, alone

    def _bits_with(self, phrases: Sequence[Phrases | None]) -> list[float]:
        """Return the bits per character on these posts with each of the phrases, in one pass."""
        nats = nats_with(self._learner, self._held_out, phrases, self.ask_cancel)
        self.clock.done += VALIDATION_COST * sum(float(batch.weights.sum()) for batch in self._held_out)
        return [each / math.log(2) / self._characters for each in nats]

    def _some_of(
        self, posts: Sequence[str], encoded: Sequence[NDArray[Any]], most: int
    ) -> tuple[list[PackedBatch], int, int]:
        """Return some of the posts, with up to `most` symbols but at least one post.

        The other two are their characters with end marks, and their number.
        """
        order = np.random.default_rng(self._config.seed).permutation(len(posts)).tolist()
        sizes = np.cumsum([encoded[index].size + 1 for index in order])
        some = sorted(order[: max(1, int(np.searchsorted(sizes, most)))])
        characters = sum(len(posts[index]) + 1 for index in some)
        return self._packed([encoded[index] for index in some]), characters, len(some)

    def _packed(self, posts: Sequence[NDArray[Any]], **order: Any) -> list[PackedBatch]:
        config = self._config
        return packed_batches(
            posts, rows=config.batch_size, length=config.sequence_length, end=self._network.end, **order
        )

    def _batches(self, epoch: int) -> list[PackedBatch]:
        rng = np.random.default_rng([self._config.seed, epoch])
        return self._packed(self._posts, rng=rng, topics=self._topics)

    def _from_here(self) -> Iterator[PackedBatch]:
        """Yield the batches that are left, epoch by epoch."""
        begin, skipped = divmod(self._step, self._steps_per_epoch)
        for epoch in range(begin + 1, self._config.epochs + 1):
            yield from self._batches(epoch)[skipped:]
            skipped = 0

    def _end_of(self, point: int) -> int:
        """Return the number of steps at which this point (from 1) is reached."""
        return -(-self._steps * point // self.epochs)

    def _bits(
        self, batches: Sequence[PackedBatch], characters: int, between: Callable[[], None]
    ) -> tuple[float, float]:
        """Return the loss (nats per symbol) and the bits per character."""
        total, count = self._learner.validate(batches, between)
        self.clock.done += VALIDATION_COST * count
        return total / count, total / math.log(2) / characters


def newest(posts: Sequence[str], most_characters: int) -> list[str]:
    """Return the newest of these posts (oldest first) with up to so many characters, at least one; all if it's 0."""
    if not most_characters:
        return list(posts)
    sizes = np.cumsum([len(post) + 1 for post in reversed(posts)])
    return list(posts[-max(1, int(np.searchsorted(sizes, most_characters, side="right"))) :])
