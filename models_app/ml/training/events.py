"""The progress and results that training reports, and its control signal. No TensorFlow, so any process can use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.networks.phrases import Phrases
from models_app.ml.networks.registry import Network

#: Asked between steps: go on, stop and keep the best weights, save the state and come back later, or cancel. Only base
#: trainings can come back later.
Answer = Literal["go", "stop", "pause", "cancel"]
Control = Callable[[], Answer]


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a fine-tune. Epochs and steps count from 1.

    loss: in nats per symbol, an exponential moving average over about half an epoch; fraction: 0 to 1 over the whole
    job, including validation; seconds_left: remaining time at the speed so far.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    fraction: float
    characters_per_second: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Openings:
    """Beginnings of posts that the model continues before the training and after each epoch, with the same seed.

    before: gets the posts of the initial weights by opening, unless an epoch is already done.
    """

    texts: tuple[str, ...]
    before: Callable[[dict[str, str]], None]


@dataclass(frozen=True, slots=True)
class EpochResult:
    """The result of an epoch. Losses are in nats per symbol (bytes and end marks), on the whole validation split.

    train_loss: the mean of the epoch, or of a part of one the moving average at its end; bits_per_character:
    validation, per Unicode character, with one end mark per post; learning_rate: at the end of the epoch; best:
    whether this is the lowest validation loss so far; continued: what it wrote after each opening.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    bits_per_character: float
    seconds: float
    learning_rate: float
    samples: tuple[str, ...]
    best: bool
    continued: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FineTuneResult:
    """The best weights on validation, and figures of the fine-tune.

    kept_epoch: the epoch whose weights these are, or lie on the way to: the best or, for a fluent bot, maybe the last;
    interpolation: their position between the initial weights (0) and that epoch's (1), above 0; samples: written with
    them; bits_per_character: of these weights on the validation split, never above the best epoch's;
    start_bits_per_character: the same for the initial weights; measured_posts: the number of posts that both are
    measured on, which can be a part of the split; characters_per_second: training speed of this call;
    phrases: those of a fluent bot's person, which count in bits_per_character.
    """

    network: Network
    weights: dict[str, NDArray[Any]]
    history: list[EpochResult]
    kept_epoch: int
    interpolation: float
    samples: tuple[str, ...]
    bits_per_character: float
    start_bits_per_character: float
    measured_posts: int
    stopped_early: bool
    characters_per_second: float
    seconds: float
    phrases: Phrases | None = None

    @property
    def checkpoint(self) -> Checkpoint:
        """The trained model, which isn't stored yet."""
        return Checkpoint(self.network, self.weights, {}, "", self.phrases)


@dataclass(frozen=True, slots=True)
class PretrainProgress:
    """The progress of base training: mean loss since the last validation in nats per symbol, fraction from 0 to 1."""

    minutes: float
    fraction: float
    bytes_seen: int
    bytes_per_second: float
    learning_rate: float
    loss: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class PretrainMeasuring:
    """The progress of the last measuring, 0 to 1. seconds_left: at the speed so far; None at the beginning."""

    fraction: float
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class PretrainValidation:
    """A validation: losses in nats per symbol, bits per Unicode character, both including end marks."""

    minutes: float
    bytes_seen: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    bits_per_character: float
    best: bool
