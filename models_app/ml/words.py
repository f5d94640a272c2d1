"""What a word is, where a text is compared with others: by the copy guard, the ban list and whoever counts words."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LINK: Final = re.compile(r"(?:https?://|\bwww\.)\S+|\b[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}/\S*", re.IGNORECASE)
# A handle, with what hangs on it: its server (@name@example.org) or another handle. As X reads it: what follows a
# letter is an e-mail address, and what follows one of !#$%&* a swear word. In a link it is a part of the link.
MENTION: Final = re.compile(r"(?<![A-Za-z0-9_!#$%&*@＠/])[@＠][A-Za-z0-9_\u00c0-\u024f]+(?:[@＠][\w.-]*\w)*")
# With a letter somewhere: #1 is a number.
HASHTAG: Final = re.compile(r"(?<![\w&/])[#＃](?=\w*[^\W\d_])\w+")
_APOSTROPHES: Final = "'’ʼ＇`´"


def without_space(character: str) -> bool:
    """True for Chinese and Japanese signs: no space parts their words, so each counts as one."""
    code = ord(character)
    return 0x3040 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code < 0x32400


def in_word(character: str) -> bool:
    """True for letters, digits and the marks on them, in any script."""
    return unicodedata.category(character)[0] in "LNM"


class _Plain(dict[int, "str | None"]):
    """For `str.translate`: letters stay, marks and apostrophes go, all else parts words. Filled as characters come."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        category = unicodedata.category(character)
        if character in _APOSTROPHES or category in ("Mn", "Me", "Cf"):
            self[code] = None
        elif category[0] in "LN" or category == "Mc":
            self[code] = f" {character} " if without_space(character) else character
        else:
            self[code] = " "
        return self[code]


_PLAIN: Final = _Plain()


def folded(text: str) -> str:
    """The text in one form for all that look or read the same (NFKC, casefolded), each run of space one blank."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(text.split())


def own_text(text: str) -> str:
    """The text without links and @mentions, folded: they are nobody's words."""
    return folded(LINK.sub(" ", MENTION.sub(" ", text)))


def words(text: str) -> list[str]:
    """The words of the text, folded: without punctuation, emoji, links and @mentions."""
    return own_text(text).translate(_PLAIN).split()
