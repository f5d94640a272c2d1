"""What the posts of a corpus are like. Cleaning counts it and stores it as JSON, so no page counts again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from botfactory.words.translation import grouped
from tweets.cleaning import Change, Cleaned, Overview
from tweets.cleaning.language import NAMES
from tweets.cleaning.personal import Kind
from tweets.common_words import COMMON_WORDS

VERSION = 1
LENGTH_STEP = 20
#: The last column of lengths contains all longer posts.
LONGEST = 300
EXAMPLES = 3
SAMPLE = 12
MAX_MONTHS = 120
_KEPT_WORDS, _KEPT_TAGS = 120, 60
_MAX_DIFFERENT = 200_000  # words counted at a time, so that a million posts of nonsense don't fill the memory
_MIN_RECOGNIZED = 20  # posts of a language, to call it the main one
_PLAIN_SHARE = 0.1  # of all posts: the common words of such a language aren't shown
_WORD = re.compile(r"(?<![#@\w])[^\W\d_]{3,24}(?:['’][^\W\d_]{1,3})?(?!\w)")
_HASHTAG = re.compile(r"(?<![\w&])[#＃](\w*[^\W\d_]\w*)")


class Line(NamedTuple):
    """A name with its number, and the share of the largest number (0 to 1) for drawing."""

    name: str
    number: int
    share: float

    @property
    def percent(self) -> float:
        return round(100 * self.share, 2)

    @property
    def top(self) -> float:
        """The top of the column, in percent of the drawing's height."""
        return round(100 - 100 * self.share, 2)


class Tally:
    """Count the posts of one corpus, in their order."""

    def __init__(self, overview: Overview) -> None:
        self._overview = overview
        self._months: Counter[str] = Counter()
        self._lengths: Counter[int] = Counter()
        self._words: Counter[str] = Counter()
        self._tags: Counter[str] = Counter()
        self._changes: Counter[str] = Counter()
        self._masked: Counter[str] = Counter()
        self._examples: dict[str, list[int]] = {}
        self._sample: list[int] = []
        self._stride = 1
        self.dropped: Counter[str] = Counter()
        self.kept = 0
        self.characters = 0

    def add(self, number: int, month: str, outcome: Cleaned, dropped: str) -> None:
        """Count one post: its row `number`, its `month` ("2019-02" or ""), and why it's `dropped` ("" if kept)."""
        if dropped:
            self.dropped[dropped] += 1
            self._example(dropped, number)
            return
        if self.kept % self._stride == 0:
            self._take_sample(number)
        self.kept += 1
        self.characters += len(outcome.text)
        self._months[month] += 1
        self._lengths[_length(outcome.text)] += 1
        self._words.update(_words(outcome.text))
        if len(self._words) > _MAX_DIFFERENT:
            self._words = Counter({word: count for word, count in self._words.items() if count > 1})
        if "#" in outcome.text or "＃" in outcome.text:
            self._tags.update(_hashtags(outcome.text))
        self._masked.update(outcome.masked)
        for change in outcome.changes:
            if change is not Change.SPACES:
                self._changes[change] += 1
                self._example(change, number)

    def as_json(self) -> dict[str, Any]:
        """Return the counts as the corpus stores them."""
        languages = sum(count for _, count in self._overview.languages)
        common = frozenset(
            word
            for language, count in self._overview.languages or (("en", 1),)
            if count >= languages * _PLAIN_SHARE
            for word in COMMON_WORDS.get(language, "").split()
        )
        words = Counter({word: count for word, count in self._words.items() if word not in common and count > 1})
        return {
            "version": VERSION,
            "months": sorted(self._months.items()),
            "lengths": sorted(self._lengths.items()),
            "words": _most(words, _KEPT_WORDS),
            "hashtags": _most(self._tags, _KEPT_TAGS),
            "languages": [[name, count] for name, count in self._overview.languages[:8]],
            "changes": {str(change): self._changes[change] for change in Change if self._changes[change]},
            # Also says that the posts were looked through for it; reports of earlier versions don't have it.
            "personal": {str(kind): self._masked[kind] for kind in Kind if self._masked[kind]},
            "examples": self._examples,
            "sample": self._sample[:: max(1, len(self._sample) // SAMPLE)][:SAMPLE],
        }

    def _example(self, kind: str, number: int) -> None:
        examples = self._examples.setdefault(str(kind), [])
        if len(examples) < EXAMPLES:
            examples.append(number)

    def _take_sample(self, number: int) -> None:
        """Add to a sample that stays evenly spread: when it gets too long, every second post is removed from it."""
        self._sample.append(number)
        if len(self._sample) == 4 * SAMPLE:
            self._sample = self._sample[::2]
            self._stride *= 2


def shifted(report: Mapping[str, Any], posts: Iterable[tuple[datetime | None, str]], by: int) -> dict[str, Any]:
    """Return the report after these posts (time, cleaned text) were removed (`by` -1) or put back (1).

    Only words and hashtags that the report already contains are counted. Cleaning again counts all of them.
    """
    months, lengths, words, tags = (Counter(dict(report.get(name, ()))) for name in _COUNTS)
    for posted_at, text in posts:
        months[_month(posted_at)] += by
        lengths[_length(text)] += by
        for counts, found in ((words, _words(text)), (tags, _hashtags(text))):
            for name in found:
                if name in counts:
                    counts[name] += by
    return {
        **report,
        "months": sorted((name, count) for name, count in months.items() if count > 0),
        "lengths": sorted((name, count) for name, count in lengths.items() if count > 0),
        # Words with a count of zero stay, in case the posts are put back.
        "words": _most(words, _KEPT_WORDS),
        "hashtags": _most(tags, _KEPT_TAGS),
    }


_COUNTS = ("months", "lengths", "words", "hashtags")


def months(report: Mapping[str, Any]) -> list[Line]:
    """Return the posts by month, including empty months; by year if there are more than ten years."""
    dated = {name: count for name, count in report.get("months", ()) if name}
    if not dated:
        return []
    first, last = min(dated), max(dated)
    span = range(int(first[:4]) * 12 + int(first[5:]) - 1, int(last[:4]) * 12 + int(last[5:]))
    if len(span) <= MAX_MONTHS:
        names = [f"{number // 12:04}-{number % 12 + 1:02}" for number in span]
        return _lines([(name, dated.get(name, 0)) for name in names])
    years: Counter[str] = Counter()
    for name, count in dated.items():
        years[name[:4]] += count
    return _lines(sorted(years.items()))


def undated(report: Mapping[str, Any]) -> int:
    """Return how many posts have no date."""
    return sum(count for name, count in report.get("months", ()) if not name)


def lengths(report: Mapping[str, Any]) -> list[Line]:
    """Return the posts by length in steps of 20 characters, shortest first. The last step is "over 300"."""
    counted = dict(report.get("lengths", ()))
    if not counted:
        return []
    steps = range(0, max(counted) + LENGTH_STEP, LENGTH_STEP)
    return _lines([(_length_name(start), counted.get(start, 0)) for start in steps])


def top(report: Mapping[str, Any], name: str, most: int) -> list[Line]:
    """Return the most used "words" or "hashtags"."""
    return _lines([(entry, count) for entry, count in report.get(name, ())[:most] if count > 0])


@dataclass(frozen=True, slots=True)
class LanguageShare:
    name: str
    percent: int


def masked(report: Mapping[str, Any]) -> dict[str, int]:
    """Return how many pieces of personal data were masked, by kind."""
    found: dict[str, int] = report.get("personal", {})
    return dict(found)


def is_looked_through(report: Mapping[str, Any]) -> bool:
    """Return whether the cleaning that made this report knew the rule about personal data."""
    return "personal" in report


def masked_phrases(report: Mapping[str, Any]) -> list[str]:
    """Return the same as phrases, such as "3 email addresses", the most frequent kind first."""
    counts = sorted(masked(report).items(), key=lambda entry: (-entry[1], entry[0]))
    return [_personal(Kind(kind), count) % {"count": grouped(count)} for kind, count in counts]


def _personal(kind: Kind, count: int) -> str:
    match kind:
        case Kind.EMAIL:
            return ngettext("%(count)s email address", "%(count)s email addresses", count)
        case Kind.PHONE:
            return ngettext("%(count)s phone number", "%(count)s phone numbers", count)
        case Kind.IBAN:
            return ngettext("%(count)s bank account number", "%(count)s bank account numbers", count)
        case Kind.CARD:
            return ngettext("%(count)s card number", "%(count)s card numbers", count)
        case Kind.SSN:
            return ngettext("%(count)s social security number", "%(count)s social security numbers", count)
        case Kind.IP:
            return ngettext("%(count)s IP address", "%(count)s IP addresses", count)
        case Kind.KEY:
            return ngettext("%(count)s key or password", "%(count)s keys or passwords", count)


def languages(report: Mapping[str, Any]) -> list[LanguageShare]:
    """Return the languages of at least 1 % of the posts, among posts whose language can be recognized."""
    found = report.get("languages", ())
    total = sum(count for _, count in found)
    shares = [LanguageShare(name_of(code), round(100 * count / total)) for code, count in found]
    return [share for share in shares if share.percent >= 1]


def usual_languages(report: Mapping[str, Any]) -> frozenset[str]:
    """Return the codes of the languages of at least 1 % of the posts, or none if too few have a clear language."""
    found = report.get("languages", ())
    total = sum(count for _, count in found)
    return frozenset(code for code, count in found if total >= _MIN_RECOGNIZED and 100 * count >= total)


def main_language(report: Mapping[str, Any]) -> str | None:
    """Return the code of the language of most posts whose language can be recognized, or None if there's no such one.

    A few words in a foreign language say nothing about the others.
    """
    found = report.get("languages", ())
    total = sum(count for _, count in found)
    return next((code for code, count in found if 2 * count > total and count >= _MIN_RECOGNIZED), None)


def name_of(code: str) -> str:
    return _(NAMES[code]) if code in NAMES else code


def _lines(counts: list[tuple[str, int]]) -> list[Line]:
    most = max((count for _, count in counts), default=0)
    return [Line(name, count, count / most if most else 0.0) for name, count in counts]


def _most(counts: Counter[str], number: int) -> list[list[Any]]:
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [[name, count] for name, count in ranked[:number]]


def _month(posted_at: datetime | None) -> str:
    return f"{posted_at.year:04}-{posted_at.month:02}" if posted_at else ""


def _length(text: str) -> int:
    """Return where the step of the text's length begins, minus one: 0 for 1 to 20 characters."""
    return min(LONGEST, (len(text) - 1) // LENGTH_STEP * LENGTH_STEP)


def _length_name(start: int) -> str:
    if start == LONGEST:
        return _("over %(most)s") % {"most": LONGEST}
    return f"{start + 1}–{start + LENGTH_STEP}"


def _words(text: str) -> list[str]:
    lower = text.lower()
    return _WORD.findall(lower if lower.isascii() else lower.replace("’", "'"))


def _hashtags(text: str) -> list[str]:
    return [f"#{tag.lower()}" for tag in _HASHTAG.findall(text)]
