"""An operator's budget of posts that may be bought of X in a month, which no number of imports at once exceeds."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from tweets.sources.base import BudgetSpent
from tweets.sources.x_costs import SMALLEST_PAGE


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


def take_page(budget: Budget | None, wanted: int, today: date) -> int:
    """The size of the next page, set aside: `wanted`, or less towards the end. Raises BudgetSpent at the end.

    X gives no page of fewer than five posts, so up to four posts of a month may remain.
    """
    if budget is None:
        return wanted
    taken = budget.take(wanted)
    if taken < SMALLEST_PAGE:
        budget.give_back(taken)
        raise BudgetSpent(budget.spent(today))
    return taken


def spent_sentence(monthly_posts: int, today: date) -> str:
    following = date(today.year + today.month // 12, today.month % 12 + 1, 1)
    return (
        f"This server may read {monthly_posts:,} posts of X in a month, and those of this month are used up. What has "
        f"been read is kept: go on from {following.day} {following:%B}, or ask the administrator to raise "
        "X_MONTHLY_POSTS. Your own X archive needs none of them."
    )
