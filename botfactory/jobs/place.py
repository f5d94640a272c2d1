"""Where a waiting job is in its queue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Its position, 1 for the next, and the number of other people with a job ahead of it."""

    position: int
    people_ahead: int
