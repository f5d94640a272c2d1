"""Find personal data of every kind, and replace each by its placeholder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tweets.cleaning.personal import emails, keys, numbers, phones
from tweets.cleaning.personal.kinds import Kind
from tweets.cleaning.text import LINK

#: The fewest digits in a row, with separators, of what `_OF_DIGITS` find.
_DIGITS = re.compile(r"\d(?:\D{0,3}\d){6}")
#: Hyphens and dashes that word processors and phones set between the parts of a number.
_HYPHENS = re.compile(r"(?<=\d)[\u2010-\u2015\u2212](?=\d)")
#: Digits in these are no numbers.
_NAMES = re.compile(r"[@＠#＃]\w+(?:@[\w.-]+)?")

_Finder = Callable[[str], Iterator[tuple[int, int]]]
_EVERYWHERE: Final[tuple[tuple[Kind, _Finder], ...]] = ((Kind.KEY, keys.keys), (Kind.EMAIL, emails.emails))
_OF_DIGITS: Final[tuple[tuple[Kind, _Finder], ...]] = (
    (Kind.IBAN, numbers.ibans),
    (Kind.CARD, numbers.cards),
    (Kind.SSN, numbers.social_security_numbers),
    (Kind.IP, numbers.ip_addresses),
    (Kind.PHONE, phones.phones),
)


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """Personal data at text[start:end]."""

    start: int
    end: int
    kind: Kind


def find(text: str) -> list[Found]:
    """Return the personal data of the text, in order and without overlaps."""
    found: list[Found] = []
    for kind, finder in _EVERYWHERE:
        found += [each for each in _spans(kind, finder(text)) if not _touches(each, found)]
    others = [each for kind, finder, written in _likely(text) for each in _spans(kind, finder(written))]
    if others:
        names = [match.span() for pattern in (LINK, _NAMES) for match in pattern.finditer(text)]
        for each in others:
            if not _touches(each, found) and not any(each.start < end and start < each.end for start, end in names):
                found.append(each)
    return sorted(found)


def _likely(text: str) -> Iterator[tuple[Kind, _Finder, str]]:
    """Yield what may find something, and the text to give to it: for most posts nothing."""
    yield Kind.KEY, keys.long_strings, text
    if _DIGITS.search(text):
        # Also as it is: a dash between two numbers is a part of neither.
        for written in dict.fromkeys((_HYPHENS.sub("-", text), text)):
            yield from ((kind, finder, written) for kind, finder in _OF_DIGITS)
    elif text.count(":") > 1 or text.count(".") > 2:
        yield Kind.IP, numbers.ip_addresses, text


def _spans(kind: Kind, spans: Iterator[tuple[int, int]]) -> list[Found]:
    return [Found(start, end, kind) for start, end in spans]


def _touches(one: Found, others: list[Found]) -> bool:
    return any(one.start < other.end and other.start < one.end for other in others)


def mask(text: str) -> tuple[str, tuple[Kind, ...]]:
    """Return the text with placeholders, and the kind of each. Masking it again changes nothing."""
    kinds: list[Kind] = []
    while found := find(text):
        kinds += [each.kind for each in found]
        for each in reversed(found):
            text = text[: each.start] + each.kind.placeholder + text[each.end :]
    return text, tuple(kinds)


def adds(post: str, prompt: str = "") -> bool:
    """Return whether a post has personal data that isn't all in the prompt that it begins with."""
    return any(found.end > len(prompt) for found in find(post))
