"""The rules of cleaning, as a value: complete, checked, and JSON in the database."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any

from tweets.sources.base import storable


class Drop(StrEnum):
    """Why a post is left out, in the order in which the reasons are asked for: a post has the first that applies."""

    REPOST = "repost"
    REPLY = "reply"
    QUOTE = "quote"
    WARNING = "warning"
    CUT = "cut"
    AUTO = "auto"
    TOO_SHORT = "too_short"
    NOT_TEXT = "not_text"
    LANGUAGE = "language"
    DUPLICATE = "duplicate"
    REMOVED = "removed"
    BANNED = "banned"


class Change(StrEnum):
    """What cleaning did to a text."""

    ENTITIES = "entities"
    UNICODE = "unicode"
    INVISIBLE = "invisible"
    LINKS = "links"
    QUOTES = "quotes"
    VIA = "via"
    NEWLINES = "newlines"
    SPACES = "spaces"


class Links(StrEnum):
    """What becomes of a link: a t.co link is ten random characters, which no model can learn and every one imitates."""

    DROP = "drop"
    PLACEHOLDER = "placeholder"
    KEEP = "keep"


class Newlines(StrEnum):
    KEEP = "keep"
    SPACE = "space"


class Form(StrEnum):
    """The normal form of Unicode. NFC changes no look; NFKC also makes plain letters of fancy and wide ones."""

    NFC = "nfc"
    NFKC = "nfkc"
    KEEP = "keep"


class Duplicates(StrEnum):
    """SAME: equal but for case, spaces and links. NEAR: also what differs in mentions, digits and punctuation only, and
    long posts that differ in a few letters."""

    NEAR = "near"
    SAME = "same"
    KEEP = "keep"


class Language(StrEnum):
    """MAIN leaves out posts that are plainly written in another language than most."""

    ALL = "all"
    MAIN = "main"


class RulesError(ValueError):
    """Rules that make no sense; the message is a sentence, `name` the rule."""

    code = "bad_rules"

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


LONGEST_WORD = 80
MAX_WORDS = 500
MAX_MINIMUM_CHARACTERS = 280


@dataclass(frozen=True, slots=True)
class CleaningRules:
    """What is kept, and what is done to it. The defaults suit most people's posts.

    `keep_quotes` is about own words above a post of somebody; `unescape` turns &amp;amp; into &; `cut_quotes` keeps
    what somebody wrote above "RT @name: …"; `drop_via` takes a share button's "via @name" off the end; `drop_cut` drops
    posts that the service cut (a retweet ending in …); `drop_auto` drops what apps post in somebody's name;
    `minimum_characters` counts what is left after cleaning; `banned_words` drops every post that holds one of them as a
    whole word, in any case.
    """

    keep_reposts: bool = False
    keep_replies: bool = False
    keep_quotes: bool = True
    keep_warnings: bool = False
    unescape: bool = True
    links: Links = Links.DROP
    cut_quotes: bool = True
    drop_via: bool = True
    drop_cut: bool = True
    drop_auto: bool = True
    newlines: Newlines = Newlines.KEEP
    unicode: Form = Form.NFC
    duplicates: Duplicates = Duplicates.NEAR
    language: Language = Language.ALL
    minimum_characters: int = 3
    banned_words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _checked(field.name, getattr(self, field.name), field.default))
        if not 1 <= self.minimum_characters <= MAX_MINIMUM_CHARACTERS:
            raise RulesError(
                "minimum_characters", f"The fewest characters are a number from 1 to {MAX_MINIMUM_CHARACTERS}."
            )
        if len(self.banned_words) > MAX_WORDS:
            raise RulesError("banned_words", f"{MAX_WORDS} words can be banned, not more.")
        object.__setattr__(self, "banned_words", tuple(dict.fromkeys(map(banned_word, self.banned_words))))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CleaningRules:
        """The rules of `as_dict`, or some of them with the others at their defaults. Raises RulesError."""
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise RulesError(name, f"There is no rule called {name!r}; there are {', '.join(known)}.")
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON, every rule in it."""
        plain: dict[str, Any] = {}
        for name, value in asdict(self).items():
            plain[name] = str(value) if isinstance(value, str) else list(value) if isinstance(value, tuple) else value
        return plain

    def with_banned(self, word: str) -> CleaningRules:
        """The same with one more banned word. Raises RulesError."""
        return replace(self, banned_words=(*self.banned_words, word))

    def without_banned(self, word: str) -> CleaningRules:
        """The same without that banned word; as they are where it is not banned."""
        gone = banned_word(word)
        return replace(self, banned_words=tuple(entry for entry in self.banned_words if entry != gone))


def banned_word(text: str) -> str:
    """The word as it is kept: without case, one space between its parts. Raises RulesError for none and long ones."""
    word = " ".join(unicodedata.normalize("NFC", storable(text).casefold()).split())
    if not word:
        raise RulesError("banned_words", "Type the word that is to be banned.")
    if len(word) > LONGEST_WORD:
        raise RulesError("banned_words", f"A banned word has at most {LONGEST_WORD} characters.")
    return word


def _checked(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise RulesError(name, f"The rule {name} is true or false, not {value!r}.")
        return value
    if isinstance(default, StrEnum):
        choices = [str(choice) for choice in type(default)]
        if value not in choices:
            raise RulesError(name, f"The rule {name} is one of {', '.join(choices)}, not {value!r}.")
        return type(default)(value)
    if isinstance(default, int):
        if not isinstance(value, int) or isinstance(value, bool):
            raise RulesError(name, f"The rule {name} is a number, not {value!r}.")
        return value
    if isinstance(value, str) or not isinstance(value, list | tuple) or not all(isinstance(w, str) for w in value):
        raise RulesError(name, f"The rule {name} is a list of words, not {value!r}.")
    return tuple(value)
