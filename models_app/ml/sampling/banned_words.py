"""Ban lists: words and phrases that no post may contain."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from typing import Final

from models_app.ml.words import UNSPACED, folded, in_word, without_space

#: Characters used in place of a letter.
_LETTERS: Final = {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s"}
_LOOKALIKE: Final = re.compile(r"[013457]|(?<=\w)[@$](?=\w)")
#: Scripts in which a mark after a letter, such as a vowel sign, makes another word: those of India and Southeast Asia.
_SIGNED: Final = re.compile("[\u0900-\u1aaf\u1b00-\u1cff\ua800-\uabff]")
#: Separators allowed between two letters of a phrase. Longer ones split it.
_GAP: Final = re.compile(r"(?<=[^ \n])[ \n]{1,10}(?=[^ \n])")
_RIFT: Final = re.compile(r"[ \n]{2,}|\n")
#: From this many repetitions on, a letter counts as stretched; patterns match up to the maximum.
_MIN_STRETCHED: Final = 3
_MAX_STRETCHED: Final = 120


class BanList:
    """Words and phrases, matched as whole words in any case: `art` matches "Art!" and "#art", but not "party".

    In scripts that don't separate words by spaces, they match anywhere.
    """

    def __init__(self, banned: Iterable[str]) -> None:
        self._phrases = [phrase for phrase in map(_plain, banned) if phrase]

    def finds(self, text: str) -> str | None:
        """Return the first entry in the text, folded, or None."""
        text = _plain(text) if self._phrases else ""
        return next((phrase for phrase in self._phrases if _holds(text, phrase)), None)


def _plain(text: str) -> str:
    return folded(text).replace("’", "'").replace("ʼ", "'")


def _holds(text: str, phrase: str) -> bool:
    at = text.find(phrase)
    while at >= 0:
        end = at + len(phrase)
        if _parted(text[at - 1 : at], phrase[0]) and _parted(phrase[-1], text[end : end + 1]):
            return True
        at = text.find(phrase, at + 1)
    return False


def _parted(left: str, right: str) -> bool:
    """Return whether a word can end between these characters. Either can be empty, at the edge of the text."""
    if not left or not right or without_space(left) or without_space(right):
        return True
    if UNSPACED.match(left) or UNSPACED.match(right):
        # A combining mark, such as a vowel sign, belongs to the letter before it.
        return unicodedata.category(right)[0] != "M"
    return not (_joins(left) and _joins(right))


def _joins(character: str) -> bool:
    return character == "_" or in_word(character)


class HouseBanList:
    """Phrases that match in any spelling, to protect people from the worst abuse.

    Ignores case, accents, punctuation, spaces, stretched letters and look-alike characters: “kill yourself” matches
    “KILL  YOUR-SELF”, “k1lllll yourself” and “k.i.l.l yourself”. A phrase must begin and end at a word boundary: it
    doesn't match “skill yourself”. Everything that BanList finds matches too.
    """

    def __init__(self, banned: Iterable[str]) -> None:
        phrases = dict.fromkeys(phrase for phrase in map(_plain, banned) if phrase)
        self._patterns = [(phrase, _pattern(phrase)) for phrase in phrases]

    def finds(self, text: str) -> str | None:
        """Return the first phrase in the text, folded, or None."""
        if not self._patterns:
            return None
        plain, bare = _plain(text), _bare(text)
        for phrase, pattern in self._patterns:
            if (pattern is not None and pattern.search(bare)) or _holds(plain, phrase):
                return phrase
        return None


@lru_cache(maxsize=4)
def house_ban_list(phrases: tuple[str, ...]) -> HouseBanList:
    """Return the list of these phrases, from a cache."""
    return HouseBanList(phrases)


def _bare(text: str) -> str:
    """Return the folded letters, digits and vowel signs, a space for up to ten other characters, a line feed for more.

    Invisible characters and all other marks, such as accents, which many people leave out, are gone.
    """
    kept: list[str] = []
    for character in unicodedata.normalize("NFKD", folded(text)):
        if not _is_optional(character, kept[-1] if kept else ""):
            kept.append(character)
    text = "".join(kept)
    text = _LOOKALIKE.sub(lambda found: _LETTERS[found[0]], text)
    text = "".join(character if character == " " or in_word(character) else "\n" for character in text)
    return _RIFT.sub("\n", _GAP.sub(" ", text))


def _is_optional(character: str, before: str) -> bool:
    category = unicodedata.category(character)
    if category[0] != "M":
        return category == "Cf"
    return not (_SIGNED.match(before) and _SIGNED.match(character))


def _pattern(phrase: str) -> re.Pattern[str] | None:
    """Return a pattern for the phrase's letters and digits in a bare text, or None if it has none.

    After each partial match, the next character decides, so there's no catastrophic backtracking.
    """
    letters = [character for character in _bare(phrase) if in_word(character)]
    parts = []
    for letter, run in groupby(letters):
        one, count = re.escape(letter), len(list(run))
        # Either as often as in the phrase, or stretched: “god” matches “goood”, but not “good”.
        minimum = max(_MIN_STRETCHED, count + 1) - 1
        parts.append(f"{one}(?:(?: ?{one}){{{minimum},{_MAX_STRETCHED}}}|(?: ?{one}){{{count - 1}}})")
    return re.compile(rf"(?<![^ \n]){' ?'.join(parts)}(?![^ \n])") if parts else None
