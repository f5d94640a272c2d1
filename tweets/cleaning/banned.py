"""Find banned words in texts: whole words, in any case."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

_WORD = re.compile(r"\w+")
# Scripts without spaces between words. There, a word is found anywhere.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def word_finder(words: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that is True for texts with one of the words (from `rules.banned_word`).

    "cat" is in "Cat's" and "#cat" but not in "cats"; "big sale" may be broken over two lines.
    """
    if not words:
        return lambda text: False
    single = frozenset(word for word in words if _WORD.fullmatch(word) and not _UNSPACED.search(word))
    others = [_pattern(word) for word in words if word not in single]
    pattern = re.compile("|".join(others)) if others else None

    def finds(text: str) -> bool:
        folded = text.casefold() if text.isascii() else unicodedata.normalize("NFC", text.casefold())
        if single and not single.isdisjoint(_WORD.findall(folded)):
            return True
        return pattern is not None and pattern.search(folded) is not None

    return finds


def _pattern(word: str) -> str:
    first = r"(?<!\w)" if _is_spaced_letter(word[0]) else ""
    last = r"(?!\w)" if _is_spaced_letter(word[-1]) else ""
    return first + r"\s+".join(map(re.escape, word.split(" "))) + last


def _is_spaced_letter(character: str) -> bool:
    return _WORD.match(character) is not None and not _UNSPACED.match(character)
