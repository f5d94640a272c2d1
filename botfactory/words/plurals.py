"""Words that depend on a number, and names as people type them."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return "1 post" or "2,000 posts"; `plural` is for nouns that don't just take an s.

    >>> counted(1, "post"), counted(0, "post"), counted(2000, "reply", "replies")
    ('1 post', '0 posts', '2,000 replies')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def on_one_line(text: str) -> str:
    """Return the text with one space wherever it has white space, and none at its ends."""
    return " ".join(text.split())
