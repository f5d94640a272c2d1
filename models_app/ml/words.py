"""The definition of a word, shared by the copy guard, the ban lists and everything that counts words."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: Without a scheme, a link begins where a run of names and single dots begins: nowhere else in it could another begin.
#: So each run is read only once, however long it is.
LINK: Final = re.compile(
    r"(?:https?://|\bwww\.)\S+|(?<![\w-])(?<![\w-]\.)[\w-]++\.(?:[\w-]++\.)*+[a-z]{2,}+/\S*", re.IGNORECASE
)
#: A handle, including its server (@name@example.org) or a second handle attached to it.
HANDLE: Final = r"[@＠][A-Za-z0-9_\u00c0-\u024f]+(?:[@＠][\w.-]*\w)*"
# Follows X's rules: after a letter it's an email address, after one of !#$%&* it's a swear word, and inside a link it
# belongs to the link.
MENTION: Final = re.compile(rf"(?<![A-Za-z0-9_!#$%&*@＠/]){HANDLE}")
# Needs at least one letter: #1 is a number.
HASHTAG: Final = re.compile(r"(?<![\w&/])[#＃](?=\w*[^\W\d_])\w+")
#: Characters of Thai and Lao, of Burmese, of Khmer and of Japanese: words have several, but no spaces separate them.
UNSPACED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\uff66-\uff9f]")
_APOSTROPHES: Final = "'’ʼ＇`´"


def without_space(character: str) -> bool:
    """Return whether this is a Chinese or Japanese character: no spaces separate words, so each counts as a word."""
    code = ord(character)
    return 0x3040 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code < 0x32400


def in_word(character: str) -> bool:
    """Return whether this is a letter, a digit or a combining mark, in any script."""
    return unicodedata.category(character)[0] in "LNM"


def in_spaced_word(character: str) -> bool:
    """Return whether this is in a word that goes on until a space or a sign, as words of most scripts do."""
    is_unspaced = without_space(character) or UNSPACED.match(character)
    return (character == "_" or in_word(character)) and not is_unspaced


class _Plain(dict[int, "str | None"]):
    """A lazily filled `str.translate` table: keeps letters, drops marks and apostrophes, turns the rest into spaces."""

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
    """Return the text in one form for all spellings that look the same (NFKC, casefolded), with single spaces."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(text.split())


def own_text(text: str) -> str:
    """Return the folded text without links and @mentions, since these aren't the author's own words."""
    return folded(LINK.sub(" ", MENTION.sub(" ", text)))


def words(text: str) -> list[str]:
    """Return the folded words of the text, without punctuation, emoji, links and @mentions."""
    return own_text(text).translate(_PLAIN).split()
