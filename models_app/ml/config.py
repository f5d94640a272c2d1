"""Settings for networks, training and sampling: dataclasses that validate themselves and convert to plain JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, Self

from models_app.ml.errors import BadSetting, mark

#: Limits of a ban list: the number of entries, and the characters of each entry.
MAX_BANNED, LONGEST_BANNED = 200, 100
#: Sounds most like the person's own posts (measured in docs/benchmarks.md).
DEFAULT_TEMPERATURE: Final = 0.9
#: The drafts for each post: at most, and where a person only says that the best should be chosen.
MAX_BEST_OF, DEFAULT_BEST_OF = 5, 3
#: The largest top-k; no vocabulary is larger.
MAX_TOP_K: Final = 2**18
#: The vocabulary of the small networks, and the names of all (`vocabulary`).
BYTES: Final = "utf8-bytes"
_VOCABULARY: Final = re.compile(rf"{BYTES}|bpe-[0-9a-f]{{16}}")


def whole(name: str, value: object, low: int, high: int) -> None:
    """Raise BadSetting unless value is a whole number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadSetting(
            mark("%(name)s must be a whole number from %(low)s to %(high)s, not %(value)s."),
            name=name,
            low=low,
            high=high,
            value=repr(value),
        )


def number(name: str, value: object, low: float, high: float, *, above: bool = False) -> None:
    """Raise BadSetting unless value is a finite number in [low, high], or in (low, high] with above=True."""
    fine = not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value)
    if not fine or not low <= value <= high or (above and value == low):  # type: ignore[operator]
        message = (
            mark("%(name)s must be a number above %(low)s and at most %(high)s, not %(value)s.")
            if above
            else mark("%(name)s must be a number from %(low)s to %(high)s, not %(value)s.")
        )
        raise BadSetting(message, name=name, low=f"{low:g}", high=f"{high:g}", value=repr(value))


class Values:
    """Converts a frozen dataclass to a plain dictionary and back."""

    __slots__ = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values, with tuples as lists."""
        values = asdict(self)  # type: ignore[call-overload]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the settings in `values`. Raises BadSetting that names unknown, missing or invalid ones."""
        if not isinstance(values, dict):
            raise BadSetting(
                mark("%(name)s needs a dictionary, not %(type)s."), name=cls.__name__, type=type(values).__name__
            )
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(str(key) for key in set(values) - known)
        if unknown:
            raise BadSetting(
                mark("%(name)s has no %(unknown)s. It has: %(known)s."),
                name=cls.__name__,
                unknown=", ".join(unknown),
                known=", ".join(sorted(known)),
            )
        try:
            return cls(**values)
        except TypeError as error:
            raise BadSetting(
                mark("%(name)s is incomplete: %(reason)s."), name=cls.__name__, reason=str(error)
            ) from error


@dataclass(frozen=True, slots=True)
class NetworkConfig(Values):
    """The architecture of a network; `kind` is a key of `networks.registry.KINDS`, `vocabulary` a vocabulary's name.

    embedding: width of a symbol's embedding; units: width of the recurrent state. For "glr" only: layers; contexts, the
    lengths in bytes of the hashed contexts (0: the word so far), each with an embedding table of context_rows (a power
    of two) by context_width.
    """

    kind: Literal["lstm", "glr"] = "lstm"
    vocabulary: str = BYTES
    embedding: int = 64
    units: int = 512
    layers: int = 1
    contexts: tuple[int, ...] = ()
    context_rows: int = 0
    context_width: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("lstm", "glr"):
            raise BadSetting(
                mark("There’s no network of kind %(kind)s. Choose %(first)s or %(second)s."),
                kind=repr(self.kind),
                first="lstm",
                second="glr",
            )
        if not isinstance(self.vocabulary, str) or not _VOCABULARY.fullmatch(self.vocabulary):
            raise BadSetting(
                mark("There’s no vocabulary %(name)s. The small networks have %(own)s."),
                name=repr(self.vocabulary),
                own=BYTES,
            )
        whole("embedding", self.embedding, 1, 4096)
        whole("units", self.units, 1, 8192)
        whole("layers", self.layers, 1, 1 if self.kind == "lstm" else 32)
        if not isinstance(self.contexts, (list, tuple)):
            raise BadSetting(
                mark("%(name)s must be a list of lengths, not %(value)s."), name="contexts", value=repr(self.contexts)
            )
        object.__setattr__(self, "contexts", tuple(self.contexts))  # JSON has lists only
        if self.kind == "lstm" and self.contexts:
            raise BadSetting(mark("A network of kind %(kind)s has no contexts."), kind="lstm")
        if self.vocabulary != BYTES and self.contexts:
            raise BadSetting(mark("Contexts are made of bytes, so they need the vocabulary %(name)s."), name=BYTES)
        for order in self.contexts:
            whole("context", order, 0, 6)
        if len(set(self.contexts)) < len(self.contexts):
            raise BadSetting(mark("List each context only once."))
        whole("context_rows", self.context_rows, 1 if self.contexts else 0, 2**20 if self.contexts else 0)
        whole("context_width", self.context_width, 1 if self.contexts else 0, 1024 if self.contexts else 0)
        if self.context_rows & (self.context_rows - 1):
            raise BadSetting(
                mark("%(name)s must be a power of two, not %(value)s."),
                name="context_rows",
                value=str(self.context_rows),
            )


#: Networks by name: the classic LSTM, and the one that learns the most in the same time (docs/base-model.md).
NETWORKS: Mapping[str, NetworkConfig] = {
    "lstm": NetworkConfig(),
    "glr": NetworkConfig(
        kind="glr", embedding=64, units=512, layers=2, contexts=(2, 3, 4, 5, 6, 0), context_rows=2**15, context_width=24
    ),
}


#: The range of epochs that a person can choose, and the upper limit of the automatic choice.
MIN_EPOCHS, MAX_EPOCHS, MAX_DEFAULT_EPOCHS = 1, 10, 8
#: From this many characters on, only one epoch fits into a minute or two.
ONE_EPOCH: Final = 1_000_000


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
        cls, *, characters: int, epochs: int, seed: int = 0, kind: str = "glr", **overrides: Any
    ) -> FineTuneConfig:
        """Return settings for a corpus of this many characters, this many epochs and a kind of network.

        `overrides` win. The learning rate falls until the end. Below a few hundred steps in total, the batch is halved,
        so that a small corpus still moves the weights. For "glr", one or two epochs use a high learning rate and little
        dropout. More epochs, or a smaller corpus, lower the rate; more epochs also raise dropout. With enough epochs,
        training restarts several times and averages the rounds, which gains more than training on (docs/benchmarks.md).
        """
        whole("characters", characters, 1, 10**12)
        whole("epochs", epochs, 1, 1000)
        default_rounds = max(1, epochs // default_epochs_for(characters)) if kind == "glr" else 1
        rounds = overrides.get("rounds", default_rounds)
        whole("rounds", rounds, 1, 1000)
        rounds = min(rounds, epochs)  # each round needs at least one epoch
        total_epochs, epochs = epochs, epochs // rounds
        length = overrides.get("sequence_length", 64)
        batch, min_batch, min_steps = (32, 16, 300) if kind == "glr" else (32, 8, 600)
        while batch > min_batch and characters * epochs < min_steps * batch * length:
            batch //= 2
        steps = max(1, characters * epochs // (overrides.get("batch_size", batch) * length))
        values: dict[str, Any] = {
            "epochs": total_epochs,
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
    """Return the learning rate of a fine-tune, fitted to the best trials on 6,000 to 340,000 characters."""
    fitted = 0.003 * (characters / (100_000 * epochs)) ** 0.6
    return float(f"{min(0.004, max(0.0008, fitted)):.2g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainConfig(Values):
    """The settings of a base training. Times are minutes of training; final_learning_rate is a fraction of the peak.

    optimizer: "adam" or "muon" (`training.optimizers`); validation_stride: only every n-th post of the validation file
    is used until the final validation; shuffle_posts: number of posts held in memory and shuffled together; new_names,
    new_tags: fractions of @names and #hashtags in the training posts that are replaced at random
    (`training.mention_augmentation`).
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
        whole("seed", self.seed, 0, 2**31 - 1)
        number("validation_minutes", self.validation_minutes, 0, 100_000, above=True)
        whole("validation_stride", self.validation_stride, 1, 1_000_000)
        number("save_minutes", self.save_minutes, 0, 100_000, above=True)
        whole("shuffle_posts", self.shuffle_posts, 1, 10_000_000)
        number("new_names", self.new_names, 0, 1)
        number("new_tags", self.new_tags, 0, 1)

    @classmethod
    def auto(cls, kind: str, *, continued: bool = False, **overrides: Any) -> PretrainConfig:
        """Return the settings for this kind of network, starting from a trained one if `continued`. `overrides` win."""
        usual = {**RECIPES.get(kind, {}), **(CONTINUED.get(kind, {}) if continued else {})}
        return cls.from_dict(usual | overrides)


#: What differs from PretrainConfig's defaults, by kind of network (docs/base-model.md).
RECIPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "lstm": {"optimizer": "adam", "final_learning_rate": 0.03},
    "llama": {
        "optimizer": "adam",
        "batch_size": 4,
        "sequence_length": 256,
        "learning_rate": 0.001,
        "final_learning_rate": 0.02,
        "warmup_steps": 50,
        "validation_minutes": 15.0,
        "validation_stride": 40,
        "save_minutes": 1.5,
    },
}
#: What differs besides for a network that is trained already: with a higher learning rate, it would forget first.
CONTINUED: Final[Mapping[str, Mapping[str, Any]]] = {"lstm": {"learning_rate": 0.002}, "glr": {"learning_rate": 0.002}}


def is_greedy(temperature: float | None, top_k: int | None) -> bool:
    """Return whether sampling always takes the most likely symbol, so that all posts are the same."""
    return temperature == 0 or top_k == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig(Values):
    """The settings for sampling new posts.

    temperature: 0 always takes the most likely symbol, 1 follows the model, above 1 is wilder; top_k: sample only from
    the k most likely symbols, 0 means all, and so does a k above the vocabulary's size; top_p: among these, sample only
    from the smallest set with at least this probability; max_characters: Unicode characters of a post, including the
    prompt; banned: words and phrases that no post may contain; copy_guard: reject posts that are too close to a learned
    one; mask_mentions: hide @names; personal_guard: reject posts with e-mail addresses, phone numbers and the like;
    best_of: how many times as many posts to draw, to keep those that sound most like the person.
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
    personal_guard: bool = True
    best_of: int = 1

    def __post_init__(self) -> None:
        whole("count", self.count, 1, 100)
        number("temperature", self.temperature, 0, 2)
        whole("top_k", self.top_k, 0, MAX_TOP_K)
        if not isinstance(self.prompt, str):
            raise BadSetting(
                mark("%(name)s must be text, not %(type)s."), name="prompt", type=type(self.prompt).__name__
            )
        if self.seed is not None:
            whole("seed", self.seed, 0, 2**63 - 1)
        whole("max_characters", self.max_characters, 1, 4000)
        number("top_p", self.top_p, 0, 1, above=True)
        if not isinstance(self.banned, (list, tuple)) or len(self.banned) > MAX_BANNED:
            raise BadSetting(
                mark("%(name)s must be a list of up to %(limit)s words or phrases."), name="banned", limit=MAX_BANNED
            )
        for entry in self.banned:
            if not isinstance(entry, str) or not entry.strip() or len(entry) > LONGEST_BANNED:
                raise BadSetting(
                    mark("A banned word or phrase must have 1 to %(limit)s characters, not %(value)s."),
                    limit=LONGEST_BANNED,
                    value=repr(entry),
                )
        object.__setattr__(self, "banned", tuple(self.banned))
        whole("best_of", self.best_of, 1, MAX_BEST_OF)
        for name in ("copy_guard", "mask_mentions", "personal_guard"):
            if not isinstance(getattr(self, name), bool):
                raise BadSetting(
                    mark("%(name)s must be %(yes)s or %(no)s, not %(value)s."),
                    name=name,
                    yes="true",
                    no="false",
                    value=repr(getattr(self, name)),
                )

    @property
    def is_greedy(self) -> bool:
        """Whether all posts would be the same."""
        return is_greedy(self.temperature, self.top_k)

    @property
    def posts_to_write(self) -> int:
        """The number of posts to write: one if all would be the same."""
        return 1 if self.is_greedy else self.count

    @property
    def drafts_to_write(self) -> int:
        """The number of posts to draw, to choose `posts_to_write` from."""
        return 1 if self.is_greedy else self.count * self.best_of
