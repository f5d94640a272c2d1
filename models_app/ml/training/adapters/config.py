"""The settings of an adapter's training: a dataclass that validates itself and converts to plain JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from models_app.ml.config import Values, number, whole
from models_app.ml.errors import BadSetting, mark

#: Places in a training step, as rows and their length.
ROWS, LENGTH = 2, 256
#: A point (validation, samples, saved state) about every so many symbols, within these bounds.
SYMBOLS_PER_POINT: Final = 12_000
MIN_POINTS, MAX_POINTS = 3, 8
#: With at most so many characters, two readings of all posts are better than one (docs/fluent.md).
MAX_READ_TWICE: Final = 40_000
#: Logits exist for this many places at a time: 50 MB for 49,152 symbols.
CHUNK: Final = 256
#: Characters in a symbol of posts, about: measured on the personas (docs/fluent.md).
CHARACTERS_PER_SYMBOL: Final = 4.0


def default_epochs_for(characters: int) -> int:
    """Return how often posts of so many characters should be read, if there's time."""
    return 2 if characters <= MAX_READ_TWICE else 1


def points_for(characters: int) -> int:
    """Return how many points a training has that reads so many characters, all epochs together."""
    return max(MIN_POINTS, min(MAX_POINTS, round(characters / CHARACTERS_PER_SYMBOL / SYMBOLS_PER_POINT)))


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterConfig(Values):
    """The settings of an adapter's training. Use `auto` for settings that fit the size of the corpus.

    epochs: how often each post is read; most_characters: the most that an epoch reads, newest posts first (0: all
    posts); points: how often the training validates, samples and shows where it is,
    spread evenly over all epochs; batch_size and sequence_length: rows of a step and symbols in a row; learning_rate:
    Adam's peak step size; final_learning_rate: the rate at the end, as a fraction of the peak; warmup_steps: until the
    peak; clip_norm: maximum norm of the whole gradient; topics: the fraction of posts that are learned behind a topic
    (`training.topics`).
    """

    kind: Literal["adapter"] = "adapter"
    epochs: int = 1
    most_characters: int = 0
    points: int = 5
    batch_size: int = ROWS
    sequence_length: int = LENGTH
    learning_rate: float = 0.0015
    final_learning_rate: float = 0.02
    warmup_steps: int = 10
    clip_norm: float = 1.0
    beta_2: float = 0.99
    topics: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind != "adapter":
            raise BadSetting(
                mark("%(name)s must be %(kind)s, not %(value)s."), name="kind", kind="adapter", value=repr(self.kind)
            )
        whole("epochs", self.epochs, 1, 100)
        whole("most_characters", self.most_characters, 0, 10**12)
        whole("points", self.points, 1, 1000)
        whole("batch_size", self.batch_size, 1, 256)
        whole("sequence_length", self.sequence_length, 16, 2048)
        number("learning_rate", self.learning_rate, 0, 1, above=True)
        number("final_learning_rate", self.final_learning_rate, 0, 1)
        whole("warmup_steps", self.warmup_steps, 0, 1_000_000)
        number("clip_norm", self.clip_norm, 0, 1000, above=True)
        number("beta_2", self.beta_2, 0, 0.99999)
        number("topics", self.topics, 0, 1)
        whole("seed", self.seed, 0, 2**31 - 1)

    @classmethod
    def auto(
        cls, *, characters: int, epochs: int = 1, most_characters: int = 0, seed: int = 0, **overrides: Any
    ) -> AdapterConfig:
        """Return settings for a corpus of this many characters and this many epochs. `overrides` win."""
        whole("characters", characters, 1, 10**12)
        # They divide, below, before the config is made.
        for name, least, most in (("batch_size", 1, 256), ("sequence_length", 16, 2048)):
            if name in overrides:
                whole(name, overrides[name], least, most)
        symbols = epochs * min(characters, most_characters or characters) / CHARACTERS_PER_SYMBOL
        rows = overrides.get("batch_size", ROWS) * overrides.get("sequence_length", LENGTH)
        values: dict[str, Any] = {
            "epochs": epochs,
            "most_characters": most_characters,
            "points": points_for(round(symbols * CHARACTERS_PER_SYMBOL)),
            "warmup_steps": max(1, min(20, round(0.06 * symbols / rows))),
            "seed": seed,
        }
        return cls.from_dict(values | overrides)
