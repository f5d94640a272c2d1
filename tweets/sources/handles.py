"""What the handles of all networks have in common."""

from __future__ import annotations

import unicodedata
from typing import Final

import idna

#: Characters of the longest handle that a corpus can have.
LONGEST: Final = 320


def visible(text: str) -> str:
    """Return the text without spaces around it and without invisible marks: Bluesky's pages copy handles with some."""
    return "".join(character for character in text if unicodedata.category(character) != "Cf").strip()


def domain(name: str) -> str:
    """Return the domain in lower case and as DNS spells it, "" for what can't be one."""
    name = name.lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except UnicodeError:
            return ""
    return name.rstrip(".")
