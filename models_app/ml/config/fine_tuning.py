"""The settings of a fine-tune, and those that fit a corpus."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from models_app.ml.config.values import Values, number, whole

#: The range of epochs that a person can choose, and the upper limit of the automatic choice.
MIN_EPOCHS, MAX_EPOCHS, MAX_DEFAULT_EPOCHS = 1, 10, 8
#: From this many characters on, only one epoch fits into a minute or two.
ONE_EPOCH: Final = 1_000_000
#: Symbols in a window of bytes, and of tokens, each of which is about three bytes.
_LENGTH, _LENGTH_OF_TOKENS = 64, 32
_CHARACTERS_PER_TOKEN: Final = 2.8


def default_epochs_for(characters: int) -> int:
    """Return the default number of epochs for a corpus of this size: 2 for most, up to 8 for small ones.

    Measured (docs/benchmarks.md): with a matching learning rate, two epochs on a large corpus are as good as ten. A
    small, repetitive corpus gains from more.
    """
    if characters >= ONE_EPOCH:
        return 1
    return max(2, min(MAX_DEFAULT_EPOCHS, round(2 * math.sqrt(150_000 / max(1, characters)))))


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneConfig(Values):
    """The settings of a fine-tune. Use `auto` for settings that fit the size of the corpus.

    sequence_length: symbols in a window; learning_rate: Adam's peak step size, reached after warmup_steps;
    final_learning_rate: the rate at the end, as a fraction of the peak; dropout: fraction of the layer outputs that
    each training step sets to zero; clip_norm: maximum norm of the whole gradient; rounds: number of restarts from the
    initial weights, each with a different seed; the epochs are divided evenly among them. The weights of the rounds are
    averaged ("Model soups", Wortsman et al. 2022, arXiv:2203.05482).
    """

    epochs: int = 3
    batch_size: int
    sequence_length: int = _LENGTH
    learning_rate: float
    final_learning_rate: float
    warmup_steps: int
    dropout: float
    clip_norm: float = 1.0
    beta_2: float = 0.99
    rounds: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        whole("epochs", self.epochs, 1, 1000)
        whole("rounds", self.rounds, 1, self.epochs)
        whole("batch_size", self.batch_size, 1, 4096)
        whole("sequence_length", self.sequence_length, 1, 1024)
        number("learning_rate", self.learning_rate, 0, 1, above=True)
        number("final_learning_rate", self.final_learning_rate, 0, 1)
        whole("warmup_steps", self.warmup_steps, 0, 1_000_000)
        number("dropout", self.dropout, 0, 0.9)
        number("clip_norm", self.clip_norm, 0, 1000, above=True)
        number("beta_2", self.beta_2, 0, 0.99999)
        whole("seed", self.seed, 0, 2**31 - 1)

    @classmethod
    def auto(
        cls, *, characters: int, epochs: int, seed: int = 0, kind: str = "glr", tokens: bool = False, **overrides: Any
    ) -> FineTuneConfig:
        """Return settings for a corpus of this many characters, this many epochs and a kind of network.

        `overrides` win. tokens: whether it reads tokens instead of bytes. The learning rate falls until the end. Below
        a few hundred steps in total, the batch is halved, so that a small corpus still moves the weights. For "glr",
        one or two epochs use a high learning rate and little dropout. More epochs, or a smaller corpus, lower the rate;
        more epochs also raise dropout. With enough epochs, training restarts several times and averages the rounds,
        which gains more than training on (docs/benchmarks.md).
        """
        whole("characters", characters, 1, 10**12)
        whole("epochs", epochs, 1, 1000)
        default_rounds = max(1, epochs // default_epochs_for(characters)) if kind == "glr" else 1
        rounds = overrides.get("rounds", default_rounds)
        whole("rounds", rounds, 1, 1000)
        rounds = min(rounds, epochs)  # each round needs at least one epoch
        total_epochs, epochs = epochs, epochs // rounds
        # They divide, below, before the config is made.
        for name, most in (("batch_size", 4096), ("sequence_length", 1024)):
            if name in overrides:
                whole(name, overrides[name], 1, most)
        length = overrides.get("sequence_length", _LENGTH_OF_TOKENS if tokens else _LENGTH)
        symbols = round(characters / _CHARACTERS_PER_TOKEN) if tokens else characters
        batch, min_batch, min_steps = (32, 16, 100 if tokens else 300) if kind == "glr" else (32, 8, 600)
        while batch > min_batch and symbols * epochs < min_steps * batch * length:
            batch //= 2
        steps = max(1, symbols * epochs // (overrides.get("batch_size", batch) * length))
        values: dict[str, Any] = {
            "epochs": total_epochs,
            "rounds": rounds,
            "batch_size": batch,
            "sequence_length": length,
            "learning_rate": 0.002 if kind == "lstm" else _glr_rate(characters, epochs),
            "final_learning_rate": 0.01,
            "warmup_steps": min(50, steps // 10),
            "dropout": min(0.2, 0.03 * epochs) if kind == "glr" else 0.2 if epochs > 5 else 0.1,
            "seed": seed,
        }
        return cls.from_dict(values | overrides | {"rounds": rounds})


def _glr_rate(characters: int, epochs: int) -> float:
    """Return the learning rate of a fine-tune, fitted to the best trials on 6,000 to 340,000 characters."""
    fitted = 0.003 * (characters / (100_000 * epochs)) ** 0.6
    return float(f"{min(0.004, max(0.0008, fitted)):.2g}")
