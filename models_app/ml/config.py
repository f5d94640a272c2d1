"""The settings of networks, training and sampling: values that check themselves and travel as plain JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, Self

#: Of a ban list: entries, and characters of each.
MAX_BANNED, LONGEST_BANNED = 200, 100
#: Where nobody says another: at which posts are likest to the person's own (docs/benchmarks.md, "At what temperature").
DEFAULT_TEMPERATURE: Final = 0.9


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
        """Returns the fields as JSON-ready values: lists where there are tuples."""
        values = asdict(self)  # type: ignore[call-overload]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

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

    embedding: numbers for each symbol; units: width of the recurrent state. Of "glr" alone: layers; contexts, the
    lengths in bytes of the hashed contexts (0: the word so far), each an embedding of context_rows (a power of two) by
    context_width.
    """

    kind: Literal["lstm", "glr"] = "lstm"
    vocabulary: Literal["utf8-bytes"] = "utf8-bytes"
    embedding: int = 64
    units: int = 512
    layers: int = 1
    contexts: tuple[int, ...] = ()
    context_rows: int = 0
    context_width: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("lstm", "glr"):
            raise ValueError(f"This version has no network of kind {self.kind!r}; it has: lstm, glr.")
        if self.vocabulary != "utf8-bytes":
            raise ValueError(f"This version has no vocabulary {self.vocabulary!r}; it has: utf8-bytes.")
        _whole("embedding", self.embedding, 1, 4096)
        _whole("units", self.units, 1, 8192)
        _whole("layers", self.layers, 1, 1 if self.kind == "lstm" else 32)
        if not isinstance(self.contexts, (list, tuple)):
            raise ValueError(f"contexts must be a list of lengths, not {self.contexts!r}.")
        object.__setattr__(self, "contexts", tuple(self.contexts))  # JSON has lists only
        if self.kind == "lstm" and self.contexts:
            raise ValueError("A network of kind 'lstm' has no contexts.")
        for order in self.contexts:
            _whole("A context", order, 0, 6)
        if len(set(self.contexts)) < len(self.contexts):
            raise ValueError("Each of the contexts may stand there once.")
        _whole("context_rows", self.context_rows, 1 if self.contexts else 0, 2**20 if self.contexts else 0)
        _whole("context_width", self.context_width, 1 if self.contexts else 0, 1024 if self.contexts else 0)
        if self.context_rows & (self.context_rows - 1):
            raise ValueError(f"context_rows must be a power of two, not {self.context_rows}.")


#: Networks by name: the tutorial's, and the one that learns most in the same time (docs/base-model.md).
NETWORKS: Mapping[str, NetworkConfig] = {
    "lstm": NetworkConfig(),
    "glr": NetworkConfig(
        kind="glr", embedding=64, units=512, layers=2, contexts=(2, 3, 4, 5, 6, 0), context_rows=2**15, context_width=24
    ),
}


#: How many epochs a person can ask for, and how many are trained at most where nobody asks.
MIN_EPOCHS, MAX_EPOCHS, MAX_DEFAULT_EPOCHS = 1, 10, 8
#: From so many characters on, one epoch is all that a minute or two can hold.
ONE_EPOCH: Final = 1_000_000


def default_epochs_for(characters: int) -> int:
    """Returns how many epochs so many characters are learned where nobody says: 2 for most, 3 to 8 where there are few.

    Measured (docs/benchmarks.md): with the learning rate that belongs to them, two epochs come to what ten do where
    there is much to learn from; a small corpus that says the same again and again gains by more.
    """
    if characters >= ONE_EPOCH:
        return 1
    return max(2, min(MAX_DEFAULT_EPOCHS, round(2 * math.sqrt(150_000 / max(1, characters)))))


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneConfig(_Values):
    """How a fine-tune learns. Use `auto` for settings that fit the size of the corpus.

    sequence_length: bytes of a window; learning_rate: the peak of Adam's step size, reached after warmup_steps;
    final_learning_rate: what is left of it at the end, as a fraction of the peak; dropout: share of the network's
    outputs that each training step hides; clip_norm: largest norm of the whole gradient; rounds: how often it learns
    from the start, each time by other draws of chance, the epochs shared out evenly. The rounds' weights are averaged
    ("Model soups", Wortsman et al. 2022, arXiv:2203.05482).
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
    rounds: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        _whole("epochs", self.epochs, 1, 1000)
        _whole("rounds", self.rounds, 1, self.epochs)
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
    def auto(
        cls, *, characters: int, epochs: int, seed: int = 0, kind: str = "glr", **overrides: Any
    ) -> FineTuneConfig:
        """Returns settings for a corpus of this many characters, this many epochs and a kind of network.

        `overrides` win. The learning rate must fall to the end; below some hundred steps in all the batch is halved, so
        that a small corpus still moves the weights. What a network of kind "glr" reads once or twice it learns in large
        steps, with little dropout; the oftener it reads the same, and the less there is to read, the more carefully.
        Where there are epochs for it, it learns from the start several times, and the rounds are averaged: that gains
        more than reading on (docs/benchmarks.md).
        """
        _whole("characters", characters, 1, 10**12)
        _whole("epochs", epochs, 1, 1000)
        usual = max(1, epochs // default_epochs_for(characters)) if kind == "glr" else 1
        rounds = overrides.get("rounds", usual)
        _whole("rounds", rounds, 1, 1000)
        rounds = min(rounds, epochs)  # each has an epoch at least
        in_all, epochs = epochs, epochs // rounds
        length = overrides.get("sequence_length", 64)
        batch, least, enough = (32, 16, 300) if kind == "glr" else (32, 8, 600)
        while batch > least and characters * epochs < enough * batch * length:
            batch //= 2
        steps = max(1, characters * epochs // (overrides.get("batch_size", batch) * length))
        values: dict[str, Any] = {
            "epochs": in_all,
            "rounds": rounds,
            "batch_size": batch,
            "learning_rate": 0.002 if kind == "lstm" else _glr_rate(characters, epochs),
            "final_learning_rate": 0.01,
            "warmup_steps": min(50, steps // 10),
            "dropout": min(0.2, 0.03 * epochs) if kind == "glr" else 0.2 if epochs > 5 else 0.1,
            "seed": seed,
        }
        return cls.from_dict(values | overrides | {"rounds": rounds})


def _glr_rate(characters: int, epochs: int) -> float:
    """Returns the learning rate of a fine-tune, fitted to the best of trials from 6,000 to 340,000 characters."""
    fitted = 0.003 * (characters / (100_000 * epochs)) ** 0.6
    return float(f"{min(0.004, max(0.0008, fitted)):.2g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainConfig(_Values):
    """How the base model learns. Times are minutes of training; final_learning_rate is a fraction of the peak.

    optimizer: "adam" or "muon" (`optimizers`).
    validation_stride: until the end only every n-th post of the validation file is used; shuffle_posts: how many posts
    are held in memory and shuffled at a time; new_names, new_tags: shares of the @names and of the #hashtags in the
    training posts that are drawn anew (`renaming`).
    """

    batch_size: int = 128
    sequence_length: int = 64
    learning_rate: float = 0.003
    final_learning_rate: float = 0.01
    warmup_steps: int = 200
    clip_norm: float = 1.0
    optimizer: Literal["adam", "muon"] = "muon"
    beta_2: float = 0.99
    seed: int = 0
    validation_minutes: float = 4.0
    validation_stride: int = 8
    save_minutes: float = 4.0
    shuffle_posts: int = 20_000
    new_names: float = 0.7
    new_tags: float = 0.4

    def __post_init__(self) -> None:
        _whole("batch_size", self.batch_size, 1, 4096)
        _whole("sequence_length", self.sequence_length, 1, 1024)
        _number("learning_rate", self.learning_rate, 0, 1, above=True)
        _number("final_learning_rate", self.final_learning_rate, 0, 1)
        _whole("warmup_steps", self.warmup_steps, 0, 1_000_000)
        _number("clip_norm", self.clip_norm, 0, 1000, above=True)
        _number("beta_2", self.beta_2, 0, 0.99999)
        if self.optimizer not in ("adam", "muon"):
            raise ValueError(f"optimizer must be adam or muon, not {self.optimizer!r}.")
        _whole("seed", self.seed, 0, 2**31 - 1)
        _number("validation_minutes", self.validation_minutes, 0, 100_000, above=True)
        _whole("validation_stride", self.validation_stride, 1, 1_000_000)
        _number("save_minutes", self.save_minutes, 0, 100_000, above=True)
        _whole("shuffle_posts", self.shuffle_posts, 1, 10_000_000)
        _number("new_names", self.new_names, 0, 1)
        _number("new_tags", self.new_tags, 0, 1)


ONE_FOR_ALL: Final = (
    "One post was written: with temperature 0 or top k 1, every post would be the same. To get several, choose a "
    "higher temperature and top k 0."
)


def is_greedy(temperature: float | None, top_k: int | None) -> bool:
    """Returns whether each character is the likeliest one, so that all posts are the same."""
    return temperature == 0 or top_k == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig(_Values):
    """How new posts are drawn.

    temperature: 0 always takes the likeliest symbol, 1 follows the model, above 1 is bolder; top_k: draw only among the
    k likeliest symbols, 0 means all; top_p: of these only among the likeliest that together have this probability;
    max_characters: Unicode characters of a post, the prompt included; banned: words and phrases that no post holds;
    copy_guard: no post is too close to one that was learned; mask_mentions: no post names anybody by @name.
    """

    count: int = 1
    temperature: float = DEFAULT_TEMPERATURE
    top_k: int = 0
    prompt: str = ""
    seed: int | None = None
    max_characters: int = 280
    top_p: float = 1.0
    banned: tuple[str, ...] = ()
    copy_guard: bool = True
    mask_mentions: bool = True

    def __post_init__(self) -> None:
        _whole("count", self.count, 1, 100)
        _number("temperature", self.temperature, 0, 2)
        _whole("top_k", self.top_k, 0, 256)
        if not isinstance(self.prompt, str):
            raise ValueError(f"prompt must be text, not {type(self.prompt).__name__}.")
        if self.seed is not None:
            _whole("seed", self.seed, 0, 2**63 - 1)
        _whole("max_characters", self.max_characters, 1, 4000)
        _number("top_p", self.top_p, 0, 1, above=True)
        if not isinstance(self.banned, (list, tuple)) or len(self.banned) > MAX_BANNED:
            raise ValueError(f"banned must be a list of at most {MAX_BANNED} words or phrases.")
        for entry in self.banned:
            if not isinstance(entry, str) or not entry.strip() or len(entry) > LONGEST_BANNED:
                raise ValueError(f"A banned word or phrase has 1 to {LONGEST_BANNED} characters, unlike {entry!r}.")
        object.__setattr__(self, "banned", tuple(self.banned))
        for name in ("copy_guard", "mask_mentions"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be true or false, not {getattr(self, name)!r}.")

    @property
    def is_greedy(self) -> bool:
        """Returns whether all posts would be the same."""
        return is_greedy(self.temperature, self.top_k)

    @property
    def posts_to_write(self) -> int:
        """Returns how many posts can be had: one where all would be the same."""
        return 1 if self.is_greedy else self.count
