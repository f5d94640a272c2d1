"""What two sequences of words have in common; `places` says for each word of one where it stands in the other."""

from __future__ import annotations

from collections.abc import Sequence


def longest_run(places: Sequence[Sequence[int]]) -> int:
    """Return how many words in a row they have in common."""
    longest = 0
    before: dict[int, int] = {}
    for found in places:
        before = {place: before.get(place - 1, 0) + 1 for place in found}
        if before:
            longest = max(longest, *before.values())
    return longest


def in_order(places: Sequence[Sequence[int]], count: int) -> int:
    """Return how many words they have in common in the same order: the length of their longest common subsequence.

    The dynamic programme with a whole row in the bits of one number (Hyyrö 2004); `count`: words of the other sequence.
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
