"""What was made from corpora. Apps above register how to count and delete theirs, so that tweets knows no models."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

#: Plural noun ("bots") -> how many.
Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Maker:
    """Both functions get the ids of corpora and count what was made from them, directly or indirectly."""

    count: Callable[[Sequence[uuid.UUID]], Counts]
    delete: Callable[[Sequence[uuid.UUID]], Counts]


_makers: list[Maker] = []


def register(maker: Maker) -> None:
    """Register a maker. For AppConfig.ready."""
    _makers.append(maker)


def count(corpora: Sequence[uuid.UUID]) -> dict[str, int]:
    """Return how much was made from the corpora."""
    return _together([maker.count(corpora) for maker in _makers])


def delete(corpora: Sequence[uuid.UUID]) -> dict[str, int]:
    """Delete everything that was made from the corpora, rows and files, and return how much."""
    return _together([maker.delete(corpora) for maker in reversed(_makers)])


def _together(counts: list[Counts]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)
