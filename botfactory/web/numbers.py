"""Whole numbers in addresses and headers."""

from __future__ import annotations

from typing import Final

#: The largest integer that every database can store. Larger numbers count as this one.
LARGEST: Final = 2**31 - 1


def whole_number(text: str, default: int = 0) -> int:
    """Return the number, at most LARGEST, or `default` if the text isn't a number in ASCII digits.

    Python's `int` also accepts other digits, and at most 4,300 of them.
    """
    if not (text.isascii() and text.isdecimal()):
        return default
    return min(int(text.lstrip("0")[:11] or "0"), LARGEST)
