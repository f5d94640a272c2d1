"""Words that no post may hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from typing import Final

from models_app.ml.words import folded, in_word, without_space

#: Signs that stand in for a letter.
_LETTERS: Final = {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s"}
_LOOKALIKE: Final = re.compile(r"[013457]|(?<=\w)[@$](?=\w)")
_ACCENTS: Final = re.compile("[\u0300-\u036f]")
#: What may stand between two letters of a phrase; anything more parts them.
_GAP: Final = re.compile(r"(?<=[^\W_])[\W_]{1,10}(?=[^\W_])")
_RIFT: Final = re.compile(r"[\W_]{2,}|[^\w ]|_")
#: A letter that stands at least so often is drawn out; more are not looked at.
_DRAWN_OUT: Final = 3
_MOST: Final = 120


class BanList:
    """Words and phrases, found as whole words in any case: `art` is in "Art!" and "#art", and not in "party"."""

    def __init__(self, banned: Iterable[str]) -> None:
        self._phrases = [phrase for phrase in map(_plain, banned) if phrase]

    def finds(self, text: str) -> str | None:
        """Return the first entry of the list that the text holds, folded; None where it holds none."""
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
    """True when a word can end between the two characters, of which one may be missing."""
    if not left or not right or without_space(left) or without_space(right):
        return True
    return not (_joins(left) and _joins(right))


def _joins(character: str) -> bool:
    return character == "_" or in_word(character)


class HouseBanList:
    """Phrases that are found however they are spelled, for a list that protects people from the worst.

    Case, accents, punctuation, spaces, letters drawn out and signs in place of letters make no difference: “kill
    yourself” is in “KILL  YOUR-SELF”, “k1lllll yourself” and “k.i.l.l yourself”. A phrase begins and ends where a word
    does: it is not in “skill yourself”. What BanList finds is found too.
    """

    def __init__(self, banned: Iterable[str]) -> None:
        phrases = dict.fromkeys(phrase for phrase in map(_plain, banned) if phrase)
        self._patterns = [(phrase, _pattern(phrase)) for phrase in phrases]

    def finds(self, text: str) -> str | None:
        """Return the first phrase of the list that the text holds, folded; None where it holds none."""
        if not self._patterns:
            return None
        plain, bare = _plain(text), _bare(text)
        for phrase, pattern in self._patterns:
            if (pattern is not None and pattern.search(bare)) or _holds(plain, phrase):
                return phrase
        return None


@lru_cache(maxsize=4)
def house_ban_list(phrases: tuple[str, ...]) -> HouseBanList:
    """Return the list of these phrases, made once."""
    return HouseBanList(phrases)


def _bare(text: str) -> str:
    """Return letters and digits, folded; a blank for up to ten other signs between them, a line end for more."""
    text = _ACCENTS.sub("", unicodedata.normalize("NFKD", folded(text)))
    text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    text = _LOOKALIKE.sub(lambda found: _LETTERS[found[0]], text)
    return _RIFT.sub("\n", _GAP.sub(" ", text))


def _pattern(phrase: str) -> re.Pattern[str] | None:
    """Return what finds the letters and digits of the phrase in a bare text; None where it has none.

    Whatever part of it fits, the next sign decides: no text makes the search slow.
    """
    letters = [character for character in _bare(phrase) if in_word(character)]
    parts = []
    for letter, run in groupby(letters):
        one, count = re.escape(letter), len(list(run))
        # As often as in the phrase, or drawn out: “god” is in “goood”, and not in “good”.
        least = max(_DRAWN_OUT, count + 1) - 1
        parts.append(f"{one}(?:(?: ?{one}){{{least},{_MOST}}}|(?: ?{one}){{{count - 1}}})")
    return re.compile(rf"(?<![^ \n]){' ?'.join(parts)}(?![^ \n])") if parts else None
