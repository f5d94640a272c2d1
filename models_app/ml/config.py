"""The settings of networks, training and sampling: values that check themselves and travel as plain JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self


def _whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r}.")


def _number(name: str, value: object, low: float, high: float, *, above: bool = False) -> None:
    """Raises ValueError unless value is a finite number in [low, high], or in (low, high] with above=True."""
    fine = not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value)
    if not fine or not low <= value <= high or (above and value == low):  # type: ignore[operator]
        span = f"above {low:g} and at most {high:g}" if above else f"from {low:g} to {high:g}"
        raise ValueError(f"{name} must be a number {span}, not {value!r}.")


class _Values:
    """Turns a frozen dataclass into a plain dictionary and back."""

    __slots__ = ()

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields as JSON-ready values."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Returns the settings in `values`; ValueError names unknown, missing or wrong ones."""
        if not isinstance(values, dict):
            raise ValueError(f"{cls.__name__} is read from a dictionary, not from {type(values).__name__}.")
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(str(key) for key in set(values) - known)
        if unknown:
            raise ValueError(f"{cls.__name__} does not know {', '.join(unknown)}; it knows {', '.join(sorted(known))}.")
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"{cls.__name__} is incomplete: {error}.") from error


@dataclass(frozen=True, slots=True)
class NetworkConfig(_Values):
    """Which network a checkpoint holds; `kind` is a name in `kinds.KINDS`.

    embedding: numbers for each symbol; units: width of the recurrent state.
    """

    kind: Literal["lstm"] = "lstm"
    vocabulary: Literal["utf8-bytes"] = "utf8-bytes"
    embedding: int = 64
    units: int = 512

    def __post_init__(self) -> None:
        if self.kind != "lstm":
            raise ValueError(f"This version has no network of kind {self.kind!r}; it has: lstm.")
        if self.vocabulary != "utf8-bytes":
            raise ValueError(f"This version has no vocabulary {self.vocabulary!r}; it has: utf8-bytes.")
        _whole("embedding", self.embedding, 1, 4096)
        _whole("units", self.units, 1, 8192)


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneConfig(_Values):
    """How a fine-tune learns. Use `auto` for settings that fit the size of the corpus.

    sequence_length: bytes of a window; learning_rate: the peak of Adam's step size, reached after warmup_steps;
    final_learning_rate: what is left of it at the end, as a fraction of the peak; dropout: share of the network's
    outputs that each training step hides; clip_norm: largest norm of the whole gradient.
    """

    epochs: int = 3
    batch_size: int
    sequence_length: int = 64
    learning_rate: float
    final_learning_rate: float
    warmup_steps: int
    dropout: float
    clip_norm: float = 1.0
    beta_2: float = 0.99
    seed: int = 0

    def __post_init__(self) -> None:
        _whole("epochs", self.epochs, 1, 1000)
        _whole("batch_size", self.batch_size, 1, 4096)
        _whole("sequence_length", self.sequence_length, 1, 1024)
        _number("learning_rate", self.learning_rate, 0, 1, above=True)
        _number("final_learning_rate", self.final_learning_rate, 0, 1)
        _whole("warmup_steps", self.warmup_steps, 0, 1_000_000)
        _number("dropout", self.dropout, 0, 0.9)
        _number("clip_norm", self.clip_norm, 0, 1000, above=True)
        _number("beta_2", self.beta_2, 0, 0.99999)
        _whole("seed", self.seed, 0, 2**31 - 1)

    @classmethod
    def auto(cls, *, characters: int, epochs: int, seed: int = 0, **overrides: Any) -> FineTuneConfig:
        """Returns settings for a corpus of this many characters and this many epochs; `overrides` win.

        Small batches learn more a second than large ones, and the learning rate must fall to the end; dropout pays only
        over many epochs (docs/benchmarks.md). Below some 600 steps in all the batch is halved, down to 8 rows, so that
        a small corpus still moves the weights.
        """
        _whole("characters", characters, 1, 10**12)
        _whole("epochs", epochs, 1, 1000)
        length = overrides.get("sequence_length", 64)
        batch = 32
        while batch > 8 and characters * epochs < 600 * batch * length:
            batch //= 2
        steps = max(1, characters * epochs // (overrides.get("batch_size", batch) * length))
        values: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": batch,
            "learning_rate": 0.002,
            "final_learning_rate": 0.01,
            "warmup_steps": min(50, steps // 10),
            "dropout": 0.2 if epochs > 5 else 0.1,
            "seed": seed,
        }
        return cls.from_dict(values | overrides)


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainConfig(_Values):
    """How the base model learns. Times are minutes of training; final_learning_rate is a fraction of the peak.

    validation_stride: until the end only every n-th post of the validation file is used; shuffle_posts: how many posts
    are held in memory and shuffled at a time.
    """

    batch_size: int = 128
    sequence_length: int = 64
    learning_rate: float = 0.003
    final_learning_rate: float = 0.03
    warmup_steps: int = 200
    clip_norm: float = 1.0
    beta_2: float = 0.99
    seed: int = 0
    validation_minutes: float = 4.0
    validation_stride: int = 8
    save_minutes: float = 4.0
    shuffle_posts: int = 20_000

    def __post_init__(self) -> None:
        _whole("batch_size", self.batch_size, 1, 4096)
        _whole("sequence_length", self.sequence_length, 1, 1024)
        _number("learning_rate", self.learning_rate, 0, 1, above=True)
        _number("final_learning_rate", self.final_learning_rate, 0, 1)
        _whole("warmup_steps", self.warmup_steps, 0, 1_000_000)
        _number("clip_norm", self.clip_norm, 0, 1000, above=True)
        _number("beta_2", self.beta_2, 0, 0.99999)
        _whole("seed", self.seed, 0, 2**31 - 1)
        _number("validation_minutes", self.validation_minutes, 0, 100_000, above=True)
        _whole("validation_stride", self.validation_stride, 1, 1_000_000)
        _number("save_minutes", self.save_minutes, 0, 100_000, above=True)
        _whole("shuffle_posts", self.shuffle_posts, 1, 10_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig(_Values):
    """How new posts are drawn.

    temperature: 0 always takes the likeliest symbol, 1 follows the model, above 1 is bolder; top_k: draw only among the
    k likeliest symbols, 0 means all; max_characters: Unicode characters of a post, the prompt included.
    """

    count: int = 1
    temperature: float = 0.8
    top_k: int = 0
    prompt: str = ""
    seed: int | None = None
    max_characters: int = 280

    def __post_init__(self) -> None:
        _whole("count", self.count, 1, 100)
        _number("temperature", self.temperature, 0, 2)
        _whole("top_k", self.top_k, 0, 256)
        if not isinstance(self.prompt, str):
            raise ValueError(f"prompt must be text, not {type(self.prompt).__name__}.")
        if self.seed is not None:
            _whole("seed", self.seed, 0, 2**63 - 1)
        _whole("max_characters", self.max_characters, 1, 4000)
