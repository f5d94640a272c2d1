"""Clean the text of a post: entities, Unicode, invisible characters, links, other people's words, lines, spaces.

Most posts need one or two of these, so each step is behind a test that costs next to nothing.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable

from tweets.cleaning.rules import Change, CleaningRules, Form, Links, Newlines
from tweets.sources.base import storable

PLACEHOLDER = "[link]"

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
LINK = re.compile(
    r"https?://t\.co/[A-Za-z0-9]*…?"
    r"|https?://(?:[!-~]*[A-Za-z0-9/=_#-])?…?"
    r"|\b(?:pic\.twitter\.com|t\.co)/[A-Za-z0-9]+…?"
    r"|\bhttps?:?/?…",  # the beginning of a link that was cut off at 140 characters
    re.IGNORECASE,
)
_LINK_SIGNS = ("http", "t.co/", "pic.twitter.com/")
_EMPTY_BRACKETS = re.compile(r"\(\s*+\)|\[\s*+\]")
# All of these take linear time, even for hostile texts.
_QUOTE = re.compile(r"\b(?:RT|MT|QT)\s?:?\s?[@＠]\w")
_REPOST = re.compile(r"\W*+RT\s?:?\s?[@＠]\w")
_VIA = re.compile(r"\bvia\s[@＠][\w.]++(?:@[\w.-]++)?([)\]]?)(?=(?:\s|https?://\S++|\[link\])*+\Z)", re.IGNORECASE)
_BEFORE_QUOTE = " \n\t\"“”'([|–—-"
_BEFORE_VIA = " \n\t([|/–—-"
_PASSES = 8  # no real text is escaped that often

TextCleaner = Callable[[str], tuple[str, tuple[Change, ...]]]


def has_link(text: str) -> bool:
    """Return whether the text contains a link or a part of one."""
    return may_hold_link(text) and LINK.search(text) is not None


def without_links(text: str) -> str:
    """Return the text with a space instead of each link and each placeholder."""
    if "[" in text:
        text = text.replace(PLACEHOLDER, " ")
    return with_links_as(" ", text)


def clean_text(text: str, rules: CleaningRules | None = None) -> str:
    """Return the text cleaned by the rules. Cleaning it again changes nothing.

    Lines stay lines unless the rules join them, at most one blank line between two. Unless the rules ask for NFKC or a
    placeholder, the result is never longer than the text in NFC.
    """
    return text_cleaner(rules or CleaningRules())(text)[0]


def text_cleaner(rules: CleaningRules) -> TextCleaner:
    """Return a function that cleans a text and says what it changed, in that order."""
    steps = _steps(rules)

    def clean(text: str) -> tuple[str, tuple[Change, ...]]:
        changes: dict[Change, None] = {}
        for _ in range(_PASSES):
            before = text
            for change, step in steps:
                cleaned = step(text)
                if cleaned != text:
                    text = cleaned
                    changes[change] = None
            if text == before:
                break
        return text, tuple(changes)

    return clean


def light_cleaner(rules: CleaningRules) -> Callable[[str], str]:
    """Return a function that takes the most common steps only, once: entities, links, line breaks, spaces.

    It gives what `clean_text` does for a text in which no other step has anything to do, neither before nor after.
    """
    common = (Change.ENTITIES, Change.LINKS, Change.NEWLINES, Change.SPACES)
    steps = [step for change, step in _steps(rules) if change in common]

    def clean(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return clean


def _steps(rules: CleaningRules) -> list[tuple[Change, Callable[[str], str]]]:
    steps: list[tuple[Change, Callable[[str], str]]] = [(Change.INVISIBLE, _storable)]
    if rules.unescape:
        steps.append((Change.ENTITIES, _unescaped))
    if rules.unicode is not Form.KEEP:
        steps.append((Change.UNICODE, _nfc if rules.unicode is Form.NFC else _nfkc))
    steps.append((Change.INVISIBLE, _visible))
    if rules.cut_quotes:
        steps.append((Change.QUOTES, _own_words))
    if rules.links is not Links.KEEP:
        steps.append((Change.LINKS, _without_links if rules.links is Links.DROP else _with_placeholders))
    if rules.drop_via:
        steps.append((Change.VIA, _without_via))
    if rules.newlines is Newlines.SPACE:
        steps.append((Change.NEWLINES, _joined))
    steps.append((Change.SPACES, _spaced))
    return steps


def _storable(text: str) -> str:
    return text if text.isascii() and "\x00" not in text else storable(text)


def _unescaped(text: str) -> str:
    if "&" not in text or ";" not in text:
        return text
    return _ENTITY.sub(lambda entity: html.unescape(entity.group()), _ESCAPED_AGAIN.sub("&", text))


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _nfkc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _visible(text: str) -> str:
    return text if text.isprintable() else _INVISIBLE.sub("", _LINE_END.sub("\n", text))


def _own_words(text: str) -> str:
    """Return the words above "RT @name: …" in an old-style quote. A plain retweet stays as it is."""
    if "T @" not in text and "T:" not in text and "T@" not in text and "＠" not in text:
        return text
    quote = None if _REPOST.match(text) else _QUOTE.search(text)
    return text[: quote.start()].rstrip(_BEFORE_QUOTE) if quote and quote.start() else text


def may_hold_link(text: str) -> bool:
    """Return whether a part of the text could begin a link."""
    lower = text.lower()
    return any(sign in lower for sign in _LINK_SIGNS)


def with_links_as(other: str, text: str) -> str:
    """Return what `LINK.sub(other, text)` returns, in a tenth of the time: only a few places can begin a link."""
    lower = text.lower()
    if len(lower) != len(text):  # a letter that becomes two
        return LINK.sub(other, text)
    starts = []
    for sign in _LINK_SIGNS:
        at = lower.find(sign)
        while at >= 0:
            starts.append(at)
            at = lower.find(sign, at + 1)
    if not starts:
        return text
    parts = []
    done = 0
    for start in sorted(starts):
        link = LINK.match(text, start) if start >= done else None
        if link:
            parts += [text[done:start], other]
            done = link.end()
    return "".join([*parts, text[done:]]) if parts else text


def _without_links(text: str) -> str:
    without = with_links_as(" ", text)
    has_brackets = "(" in without or "[" in without
    return _EMPTY_BRACKETS.sub(" ", without) if has_brackets and without != text else without


def _with_placeholders(text: str) -> str:
    return with_links_as(PLACEHOLDER, text)


def _without_via(text: str) -> str:
    lower = text.lower()
    if "via @" not in lower and "via ＠" not in lower:
        return text
    via = _VIA.search(text)
    if via is None:
        return text
    before = text[: via.start()].rstrip()
    if via.group(1) and not before.endswith(("(", "[")):  # "(graphic via @someone)" would be left half open
        return text
    return before.rstrip(_BEFORE_VIA) + text[via.end() :]


def _joined(text: str) -> str:
    return " ".join(filter(None, map(str.strip, text.split("\n")))) if "\n" in text else text


def _spaced(text: str) -> str:
    """Collapse spaces, remove those at the ends of lines, and leave at most one blank line."""
    if text.isprintable():  # then its only space is the plain one, and it is one line
        while "  " in text:
            text = text.replace("  ", " ")
        return text.strip()
    text = _SPACES.sub(" ", text)
    if "\n" in text:
        text = _BLANK_LINES.sub("\n\n", "\n".join(line.strip() for line in text.split("\n")))
    return text.strip()
