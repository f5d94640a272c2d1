"""The settings of a base training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from models_app.ml.config.values import Values, number, whole
from models_app.ml.errors import BadSetting, mark


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainConfig(Values):
    """The settings of a base training. Times are minutes of training; final_learning_rate is a fraction of the peak.

    optimizer: "adam" or "muon" (`training.optimizers`); averaging: the weights that are validated and kept are the
    exponential average of about so many steps (`training.averaging`), 0 for the last ones; dropout: fraction of the
    layer outputs that each step sets to zero; validations: their number, evenly over the whole training, each of which
    also saves the state (0: one after every validation_minutes); validation_stride: only every n-th post of the
    validation file is used until the final validation; shuffle_posts: number of posts held in memory and shuffled
    together; new_names, new_tags: fractions of @names and #hashtags in the training posts that are replaced at random
    (`training.mention_augmentation`); topics: the fraction of posts that an adapter learns behind a topic
    (`training.topics`).
    """

    batch_size: int = 128
    sequence_length: int = 64
    learning_rate: float = 0.003
    final_learning_rate: float = 0.01
    warmup_steps: int = 200
    clip_norm: float = 1.0
    optimizer: Literal["adam", "muon"] = "muon"
    beta_2: float = 0.99
    averaging: int = 0
    dropout: float = 0.0
    seed: int = 0
    validation_minutes: float = 4.0
    validations: int = 0
    validation_stride: int = 8
    save_minutes: float = 4.0
    shuffle_posts: int = 20_000
    new_names: float = 0.7
    new_tags: float = 0.4
    topics: float = 0.0

    def __post_init__(self) -> None:
        whole("batch_size", self.batch_size, 1, 4096)
        whole("sequence_length", self.sequence_length, 1, 1024)
        number("learning_rate", self.learning_rate, 0, 1, above=True)
        number("final_learning_rate", self.final_learning_rate, 0, 1)
        whole("warmup_steps", self.warmup_steps, 0, 1_000_000)
        number("clip_norm", self.clip_norm, 0, 1000, above=True)
        number("beta_2", self.beta_2, 0, 0.99999)
        if self.optimizer not in ("adam", "muon"):
            raise BadSetting(
                mark("%(name)s must be %(first)s or %(second)s, not %(value)s."),
                name="optimizer",
                first="adam",
                second="muon",
                value=repr(self.optimizer),
            )
        whole("averaging", self.averaging, 0, 1_000_000)
        number("dropout", self.dropout, 0, 0.9)
        whole("seed", self.seed, 0, 2**31 - 1)
        number("validation_minutes", self.validation_minutes, 0, 100_000, above=True)
        whole("validations", self.validations, 0, 1000)
        whole("validation_stride", self.validation_stride, 1, 1_000_000)
        number("save_minutes", self.save_minutes, 0, 100_000, above=True)
        whole("shuffle_posts", self.shuffle_posts, 1, 10_000_000)
        number("new_names", self.new_names, 0, 1)
        number("new_tags", self.new_tags, 0, 1)
        number("topics", self.topics, 0, 1)

    @classmethod
    def auto(cls, kind: str, *, continued: bool = False, tokens: bool = False, **overrides: Any) -> PretrainConfig:
        """Return the settings for this kind of network; `overrides` win.

        continued: it starts from a trained one; tokens: it's a small network that reads tokens instead of bytes.
        """
        usual = {
            **RECIPES.get(kind, {}),
            **(CONTINUED.get(kind, {}) if continued else {}),
            **(OF_TOKENS if tokens else {}),
        }
        return cls.from_dict(usual | overrides)


#: What differs from PretrainConfig's defaults, by kind of network.
RECIPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "lstm": {"optimizer": "adam", "final_learning_rate": 0.03},
    "llama": {
        "optimizer": "adam",
        "batch_size": 2,
        "sequence_length": 256,
        "averaging": 500,
        "learning_rate": 0.001,
        "final_learning_rate": 0.02,
        "warmup_steps": 50,
        "validation_minutes": 15.0,
        "validation_stride": 40,
        "save_minutes": 1.5,
        "topics": 0.5,
    },
}
#: What differs besides for a small network that reads tokens: each is about three bytes.
OF_TOKENS: Final[Mapping[str, Any]] = {"sequence_length": 32}
#: What differs besides for a network that is trained already: with a higher learning rate, it would forget first.
CONTINUED: Final[Mapping[str, Mapping[str, Any]]] = {"lstm": {"learning_rate": 0.002}, "glr": {"learning_rate": 0.002}}
