"""What was made of corpora. Apps above register how to count and delete theirs, so that tweets knows no models."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

#: What it is called in the plural ("bots") -> how many.
Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Maker:
    """Both are given the ids of corpora and tell what there is, or was: also what was made of what was made."""

    count: Callable[[Sequence[uuid.UUID]], Counts]
    delete: Callable[[Sequence[uuid.UUID]], Counts]


_makers: list[Maker] = []


def register(maker: Maker) -> None:
    """For AppConfig.ready."""
    _makers.append(maker)


def count(corpora: Sequence[uuid.UUID]) -> dict[str, int]:
    return _together([maker.count(corpora) for maker in _makers])


def delete(corpora: Sequence[uuid.UUID]) -> dict[str, int]:
    """All that was made of the corpora is gone, rows and files."""
    return _together([maker.delete(corpora) for maker in reversed(_makers)])


def _together(counts: list[Counts]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)
