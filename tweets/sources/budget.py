"""What a source that costs money may still buy, as whoever pays for it keeps the books."""

from __future__ import annotations

from datetime import date
from typing import Protocol


class Budget(Protocol):
    """What is left to be bought. Taken before it is bought, so that a crash costs at most what was taken."""

    @property
    def monthly_posts(self) -> int:
        """How many posts a month there are in all."""
        ...

    def left(self) -> int:
        """How many posts may still be bought this month."""
        ...

    def spent(self, today: date) -> str:
        """What is said to the person when too few are left."""
        ...

    def take(self, posts: int) -> int:
        """Sets aside up to so many posts, for nobody else to take; the number set aside."""
        ...

    def give_back(self, posts: int) -> None:
        """So many of the posts that were set aside were not bought."""
        ...
