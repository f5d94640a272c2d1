"""Count what people see as characters (graphemes). Where rules differ, this counts one more rather than one less."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import Final

_JOINER: Final = "\u200d"


def graphemes(text: str) -> int:
    """Return the number of graphemes of a text, as UAX 29 counts them or, rarely, more.

    >>> graphemes("e\u0301"), graphemes("\U0001f469\u200d\U0001f680"), graphemes("ab")
    (1, 1, 2)
    """
    if text.isascii():
        return len(text.replace("\r\n", "\n"))
    count, flags = min(len(text), 1), 0
    for before, character in pairwise(text):
        flags = flags + 1 if _is_flag(before) else 0
        joined = _extends(character) or before == _JOINER or (before, character) == ("\r", "\n")
        # Two letters of a flag are one character; the third begins another.
        if not joined and not (_is_flag(character) and flags % 2):
            count += 1
    return count


def _extends(character: str) -> bool:
    skin = "\U0001f3fb" <= character <= "\U0001f3ff"
    tag = "\U000e0020" <= character <= "\U000e007f"
    return unicodedata.category(character) in ("Mn", "Me", "Mc") or character == _JOINER or skin or tag


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
