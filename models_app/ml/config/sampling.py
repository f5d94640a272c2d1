"""The settings for writing posts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Final

from models_app.ml.config.values import Values, number, whole
from models_app.ml.errors import BadSetting, mark

#: Limits of a ban list: the number of entries, and the characters of each entry.
MAX_BANNED, LONGEST_BANNED = 200, 100
#: The longest topic, in characters.
LONGEST_TOPIC: Final = 200
#: The most drafts for each post.
MAX_BEST_OF: Final = 9
#: The largest top-k; no vocabulary is larger.
MAX_TOP_K: Final = 2**18


@dataclass(frozen=True, slots=True)
class Usual:
    """How bots with a kind of network write, unless somebody chooses otherwise. The fields are those of SamplingConfig.

    link_guard: for a bot that learned posts without links.
    """

    temperature: float
    top_p: float
    best_of: int
    link_guard: bool


#: A pretrained model knows how sentences go on, and drawing carefully keeps their sense (docs/fluent.md). It has read
#: many links, and makes up some. A small network needs chance to sound like anybody.
_FLUENT: Final = Usual(temperature=0.5, top_p=0.9, best_of=3, link_guard=True)
_QUICK: Final = Usual(temperature=0.9, top_p=1.0, best_of=1, link_guard=False)


def usual(kind: str) -> Usual:
    """Return how bots with this kind of network write."""
    return _FLUENT if kind == "llama" else _QUICK


def is_greedy(temperature: float | None, top_k: int | None) -> bool:
    """Return whether sampling always takes the most likely symbol, so that all posts are the same."""
    return temperature == 0 or top_k == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig(Values):
    """The settings for sampling new posts.

    None is what's `usual` for the bot's kind of network.

    temperature: 0 always takes the most likely symbol, 1 follows the model, above 1 is wilder; top_k: sample only from
    the k most likely symbols, 0 means all, and so does a k above the vocabulary's size; top_p: among these, sample only
    from the smallest set with at least this probability; max_characters: Unicode characters of a post, including the
    prompt; banned: words and phrases that no post may contain; copy_guard: reject posts that are too close to a learned
    one; mask_mentions: hide @names; personal_guard: reject posts with email addresses, phone numbers and the like;
    link_guard: reject posts with links that the prompt doesn't have; best_of: the drafts for each post, of which the
    one that makes most sense is kept. A single draft is drawn by these settings alone; about: what the posts are to be
    about, a few words or a sentence, for a fluent bot.
    """

    count: int = 1
    temperature: float | None = None
    top_k: int = 0
    prompt: str = ""
    seed: int | None = None
    max_characters: int = 280
    top_p: float | None = None
    banned: tuple[str, ...] = ()
    copy_guard: bool = True
    mask_mentions: bool = True
    personal_guard: bool = True
    link_guard: bool | None = None
    best_of: int | None = None
    about: str = ""

    def __post_init__(self) -> None:
        whole("count", self.count, 1, 100)
        if self.temperature is not None:
            number("temperature", self.temperature, 0, 2)
        whole("top_k", self.top_k, 0, MAX_TOP_K)
        for name in ("prompt", "about"):
            if not isinstance(value := getattr(self, name), str):
                raise BadSetting(mark("%(name)s must be text, not %(type)s."), name=name, type=type(value).__name__)
        object.__setattr__(self, "about", " ".join(self.about.split()))
        if len(self.about) > LONGEST_TOPIC:
            raise BadSetting(
                mark("%(name)s can have %(limit)s characters, not %(count)s."),
                name="about",
                limit=LONGEST_TOPIC,
                count=len(self.about),
            )
        if self.seed is not None:
            whole("seed", self.seed, 0, 2**63 - 1)
        whole("max_characters", self.max_characters, 1, 4000)
        if self.top_p is not None:
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
        if self.best_of is not None:
            whole("best_of", self.best_of, 1, MAX_BEST_OF)
        for name in ("copy_guard", "mask_mentions", "personal_guard", "link_guard"):
            value = getattr(self, name)
            if not isinstance(value, bool) and not (name == "link_guard" and value is None):
                raise BadSetting(
                    mark("%(name)s must be %(yes)s or %(no)s, not %(value)s."),
                    name=name,
                    yes="true",
                    no="false",
                    value=repr(value),
                )

    def usual_for(self, kind: str) -> SamplingConfig:
        """Return these settings with what is usual for a kind of network where they say None. The seed stays."""
        values = {name: value for name, value in asdict(usual(kind)).items() if getattr(self, name) is None}
        return replace(self, **values)

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
        """The number of drafts to draw for them, at least."""
        return 1 if self.is_greedy else self.count * (self.best_of or 1)
