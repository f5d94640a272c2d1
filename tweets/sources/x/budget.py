"""An operator's budget of posts that may be bought of X in a month, which no number of imports at once exceeds."""

from __future__ import annotations

from datetime import date

from botfactory.words import counted
from tweets.sources.base import BudgetSpent
from tweets.sources.budget import Budget
from tweets.sources.x.costs import SMALLEST_PAGE


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
        f"This server may read {counted(monthly_posts, 'post')} of X in a month, and those of this month are used up. "
        f"What has been read is kept: go on from {following.day} {following:%B}, or ask the administrator to raise "
        "X_MONTHLY_POSTS. Your own X archive needs none of them."
    )
