"""Words that no post may hold."""

from __future__ import annotations

from collections.abc import Iterable

from .words import folded, in_word, without_space


class BanList:
    """Words and phrases, found as whole words in any case: `art` is in "Art!" and "#art", and not in "party"."""

    def __init__(self, banned: Iterable[str]) -> None:
        self._phrases = [phrase for phrase in map(_plain, banned) if phrase]

    def finds(self, text: str) -> str | None:
        """Returns the first entry of the list that the text holds, folded; None where it holds none."""
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
