"""The overlap of two word sequences. `places` has, for each word of one, its positions in the other."""

from __future__ import annotations

from collections.abc import Sequence


def longest_run(places: Sequence[Sequence[int]]) -> int:
    """Return the length of the longest run of consecutive common words."""
    longest = 0
    before: dict[int, int] = {}
    for found in places:
        before = {place: before.get(place - 1, 0) + 1 for place in found}
        if before:
            longest = max(longest, *before.values())
    return longest


def in_order(places: Sequence[Sequence[int]], count: int) -> int:
    """Return the length of the longest common subsequence; `count` is the length of the other sequence.

    Bit-parallel dynamic programming: one integer holds a whole row (Hyyrö 2004).
    """
    full = (1 << count) - 1
    row = full
    for found in places:
        if found:
            mask = 0
            for place in found:
                mask |= 1 << place
            hit = row & mask
            row = ((row + hit) | (row - hit)) & full
    return count - row.bit_count()
