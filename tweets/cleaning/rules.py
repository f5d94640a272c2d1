"""The rules of cleaning, as a value: complete, checked, and JSON in the database."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any

from botfactory.words.translatable import mark
from tweets.sources.base import storable


class Drop(StrEnum):
    """Why a post is left out. If several reasons apply, the first one in this order counts."""

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
    PERSONAL = "personal"


class Links(StrEnum):
    """What happens to links. A t.co link is ten random characters, which models imitate but can't learn."""

    DROP = "drop"
    PLACEHOLDER = "placeholder"
    KEEP = "keep"


class Newlines(StrEnum):
    KEEP = "keep"
    SPACE = "space"


class Form(StrEnum):
    """The normal form of Unicode. NFC keeps the look of a text; NFKC also makes fancy and wide letters plain."""

    NFC = "nfc"
    NFKC = "nfkc"
    KEEP = "keep"


class Duplicates(StrEnum):
    """Which repeated posts are dropped.

    SAME: those that differ only in case, spaces and links. NEAR: also those that differ only in mentions, digits and
    punctuation, and long posts that differ in a few letters.
    """

    NEAR = "near"
    SAME = "same"
    KEEP = "keep"


class Language(StrEnum):
    """MAIN drops posts that are clearly in another language than most."""

    ALL = "all"
    MAIN = "main"


class RulesError(ValueError):
    """Invalid rules. The message is a sentence, `name` the rule.

    The message keeps its template and values, so that Django code can translate it (botfactory.words.translation).
    """

    code = "bad_rules"

    def __init__(self, name: str, template: str, /, **values: object) -> None:
        super().__init__(template % values if values else template)
        self.name, self.template, self.values = name, template, values


LONGEST_WORD = 80
MAX_WORDS = 500
MAX_MINIMUM_CHARACTERS = 280


@dataclass(frozen=True, slots=True)
class CleaningRules:
    """Which posts are kept, and what is done to their text. The defaults suit most people's posts.

    - `keep_quotes`: own words above somebody else's post
    - `unescape`: turns &amp;amp; into &
    - `cut_quotes`: keeps only the words above "RT @name: …"
    - `drop_via`: removes a share button's "via @name" at the end
    - `drop_cut`: drops posts that the service cut off, such as a retweet that ends in …
    - `drop_auto`: drops posts written by apps
    - `mask_personal`: replaces email addresses, phone numbers and the like (`cleaning.personal`) by placeholders
    - `minimum_characters`: after cleaning
    - `banned_words`: drops every post that contains one of them as a whole word, in any case
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
    mask_personal: bool = True
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
                "minimum_characters",
                mark("The minimum is a number from 1 to %(most)s."),
                most=MAX_MINIMUM_CHARACTERS,
            )
        if len(self.banned_words) > MAX_WORDS:
            raise RulesError("banned_words", mark("You can ban at most %(most)s words."), most=MAX_WORDS)
        object.__setattr__(self, "banned_words", tuple(dict.fromkeys(map(banned_word, self.banned_words))))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CleaningRules:
        """Return the rules of `as_dict`. Missing ones have their defaults. Raises RulesError."""
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                said = mark("There is no rule “%(name)s”. The rules are %(rules)s.")
                raise RulesError(name, said, name=name, rules=", ".join(known))
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Return all rules as plain JSON."""
        plain: dict[str, Any] = {}
        for name, value in asdict(self).items():
            plain[name] = str(value) if isinstance(value, str) else list(value) if isinstance(value, tuple) else value
        return plain

    def with_banned(self, word: str) -> CleaningRules:
        """Return the same rules with one more banned word. Raises RulesError."""
        return replace(self, banned_words=(*self.banned_words, word))

    def without_banned(self, word: str) -> CleaningRules:
        """Return the same rules without that banned word."""
        gone = banned_word(word)
        return replace(self, banned_words=tuple(entry for entry in self.banned_words if entry != gone))


def banned_word(text: str) -> str:
    """Return the word as it is stored: without case, one space between its parts. Raises RulesError."""
    word = " ".join(unicodedata.normalize("NFC", storable(text).casefold()).split())
    if not word:
        raise RulesError("banned_words", mark("Enter the word to ban."))
    if len(word) > LONGEST_WORD:
        raise RulesError("banned_words", mark("A banned word can have at most %(most)s characters."), most=LONGEST_WORD)
    return word


def _checked(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise RulesError(
                name, mark("The rule %(rule)s is true or false, not %(value)s."), rule=name, value=repr(value)
            )
        return value
    if isinstance(default, StrEnum):
        choices = [str(choice) for choice in type(default)]
        if value not in choices:
            said = mark("The rule %(rule)s is one of %(choices)s, not %(value)s.")
            raise RulesError(name, said, rule=name, choices=", ".join(choices), value=repr(value))
        return type(default)(value)
    if isinstance(default, int):
        if not isinstance(value, int) or isinstance(value, bool):
            raise RulesError(name, mark("The rule %(rule)s is a number, not %(value)s."), rule=name, value=repr(value))
        return value
    if isinstance(value, str) or not isinstance(value, list | tuple) or not all(isinstance(w, str) for w in value):
        raise RulesError(
            name, mark("The rule %(rule)s is a list of words, not %(value)s."), rule=name, value=repr(value)
        )
    return tuple(value)
