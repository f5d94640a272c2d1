"""What training says of itself, as plain values, and is told; free of TensorFlow, so that any process may use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from models_app.ml.config import NetworkConfig

#: Input between steps: go on, stop and keep the best, or cancel.
Control = Callable[[], Literal["go", "stop", "cancel"]]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a fine-tune stands: epoch and step count from 1, loss is this epoch's running mean in nats a byte.

    fraction: 0 to 1 over the whole job, validation included; seconds_left: what is left of it at the speed so far.
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
class EpochResult:
    """One epoch: losses in nats a symbol (bytes and end marks), validation over the whole validation split.

    bits_per_character: validation, over Unicode characters and one end mark a post; learning_rate: at the epoch's end;
    best: the lowest validation loss so far.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    bits_per_character: float
    seconds: float
    learning_rate: float
    samples: tuple[str, ...]
    best: bool


@dataclass(frozen=True, slots=True)
class FineTuneResult:
    """The weights that were best on validation and how it went.

    interpolation: how far the weights went from the start to the best epoch, above 0 to 1; bits_per_character: of these
    weights on the validation split, never more than the best epoch's; start_bits_per_character: of the weights at the
    start; characters_per_second: of this call's training; cores_used: how many cores it had on average, 0 if unknown.
    """

    network: NetworkConfig
    weights: dict[str, NDArray[Any]]
    history: list[EpochResult]
    best_epoch: int
    interpolation: float
    bits_per_character: float
    start_bits_per_character: float
    stopped_early: bool
    characters_per_second: float
    cores_used: float
    seconds: float


@dataclass(frozen=True, slots=True)
class PretrainProgress:
    """Where base training stands; loss is the mean in nats a byte since the last validation, fraction from 0 to 1."""

    minutes: float
    fraction: float
    bytes_seen: int
    bytes_per_second: float
    learning_rate: float
    loss: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class PretrainValidation:
    """One validation: losses in nats a byte (end marks included), bits a character (Unicode, end marks included)."""

    minutes: float
    bytes_seen: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    bits_per_character: float
    best: bool
