"""Whole numbers as people and programs write them into addresses and headers."""

from __future__ import annotations

from typing import Final

#: The largest that every database keeps in an integer. Larger ones mean as much.
LARGEST: Final = 2**31 - 1


def whole_number(text: str, default: int = 0) -> int:
    """Return the number, LARGEST for a larger one, `default` for anything that isn't zero or more in digits of ASCII.

    Python's `int` takes other digits too, and no more than 4,300 of them.
    """
    if not (text.isascii() and text.isdecimal()):
        return default
    return min(int(text.lstrip("0")[:11] or "0"), LARGEST)
