"""The interface of a budget, for sources that cost money."""

from __future__ import annotations

from datetime import date
from typing import Protocol


class Budget(Protocol):
    """Posts that can still be bought. Reserving comes before buying, so a crash costs at most what was reserved."""

    @property
    def monthly_posts(self) -> int:
        """How many posts can be bought in a month."""
        ...

    def left(self) -> int:
        """Return how many posts can still be bought this month."""
        ...

    def spent(self, today: date) -> str:
        """Return what the person reads when too few are left."""
        ...

    def take(self, posts: int) -> int:
        """Reserve up to this many posts, and return how many."""
        ...

    def give_back(self, posts: int) -> None:
        """Give back posts that were reserved and not bought."""
        ...
