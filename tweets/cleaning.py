"""What becomes of a post before a model learns from it: cleaned text, or the reason why it is left out."""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from tweets.sources.base import Post, storable


class Drop(StrEnum):
    """Why a post is left out."""

    REPOST = "repost"
    REPLY = "reply"
    TOO_SHORT = "too_short"
    DUPLICATE = "duplicate"
    NOT_TEXT = "not_text"


@dataclass(frozen=True, slots=True)
class CleaningRules:
    """What to keep. Some people write four replies for each other post: with `keep_replies` those stay in.

    `minimum_characters` counts what is left after cleaning. Links go by default, also within a sentence: a t.co link is
    ten random characters, which no model can learn and every model would imitate.
    """

    keep_reposts: bool = False
    keep_replies: bool = False
    minimum_characters: int = 3
    drop_links: bool = True


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The cleaned text (also of a dropped post, for showing) and why the post was dropped, None when it was kept."""

    text: str
    dropped: Drop | None


class Cleaner:
    """Cleans the posts of one corpus; the only thing it remembers is which texts it has kept."""

    def __init__(self, rules: CleaningRules) -> None:
        self._rules = rules
        self._kept: set[bytes] = set()

    def clean(self, post: Post) -> Cleaned:
        """The post's text cleaned, and the first reason that applies for leaving the post out."""
        text = clean_text(post.text, drop_links=self._rules.drop_links)
        return Cleaned(text, self._reason(post, text))

    def remember(self, text: str) -> None:
        """From now on this cleaned text counts as kept: for going on with an import that another process began."""
        self._kept.add(_fingerprint(text))

    def _reason(self, post: Post, text: str) -> Drop | None:
        if post.is_repost and not self._rules.keep_reposts:
            return Drop.REPOST
        if post.is_reply and not self._rules.keep_replies:
            return Drop.REPLY
        if not post.text.strip():
            return Drop.TOO_SHORT
        if not _says_something(text) or _is_garbage(post.text):
            return Drop.NOT_TEXT
        if len(text) < self._rules.minimum_characters:
            return Drop.TOO_SHORT
        if _fingerprint(text) in self._kept:
            return Drop.DUPLICATE
        self.remember(text)
        return None


_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_ESCAPED_AGAIN = re.compile(r"&(?:amp;|#0*38;|#[xX]0*26;)+")
_LINE_END = re.compile("\r\n|[\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
# Control characters, and invisible ones that change nothing but the direction or the breaking of lines. The joiners
# U+200C and U+200D and the variation selectors stay: emoji and several scripts are wrong without them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufdd0-\ufdef"
    "\ufeff\ufff9-\uffff]"
)
_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_LINK = re.compile(
    r"https?://t\.co/[A-Za-z0-9]*…?"
    r"|https?://(?:[!-~]*[A-Za-z0-9/=_#-])?…?"
    r"|\b(?:pic\.twitter\.com|t\.co)/[A-Za-z0-9]+…?"
    r"|\bhttps?:?/?…",  # a link of which the cut at 140 characters left only the beginning
    re.IGNORECASE,
)
_EMPTY_BRACKETS = re.compile(r"\(\s*\)|\[\s*\]")
_MENTION = re.compile(r"[@＠]\w+")
_EMOJI = re.compile("[\u2600-\u27bf\u2b50\u2b55\U0001f000-\U0001faff]")
_PASSES = 8  # text that is escaped so often is no text


def clean_text(text: str, *, drop_links: bool = True) -> str:
    """The text in NFC, entities unescaped, without control characters and (by default) links, spaces collapsed.

    Lines stay lines, at most one blank line between them. Cleaning a cleaned text changes nothing. The result is never
    longer than the text in NFC.
    """
    for _ in range(_PASSES):
        before, text = text, _pass(text, drop_links)
        if text == before:
            break
    return text


def _pass(text: str, drop_links: bool) -> str:
    text = storable(text)
    text = _ENTITY.sub(lambda entity: html.unescape(entity.group()), _ESCAPED_AGAIN.sub("&", text))
    text = unicodedata.normalize("NFC", text)
    text = _INVISIBLE.sub("", _LINE_END.sub("\n", text))
    if drop_links:
        without = _LINK.sub(" ", text)
        text = _EMPTY_BRACKETS.sub(" ", without) if without != text else text
    text = _SPACES.sub(" ", text)
    text = "\n".join(line.strip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", text).strip()


def _says_something(text: str) -> bool:
    """True when a letter of any script or an emoji is left beside links and mentions."""
    rest = _MENTION.sub("", _LINK.sub("", text))
    return any(character.isalpha() for character in rest) or _EMOJI.search(rest) is not None


def _is_garbage(text: str) -> bool:
    """True when a tenth of the characters or more were lost to a wrong encoding before the text came here."""
    return text.count("\ufffd") * 10 >= len(text.strip())


def _fingerprint(text: str) -> bytes:
    """The same for texts that differ only in case, spaces and links. 8 bytes: a chance of 1e-8 among half a million."""
    plain = " ".join(_LINK.sub(" ", text).casefold().split())
    return hashlib.blake2b(plain.encode("utf-8", "replace"), digest_size=8).digest()
