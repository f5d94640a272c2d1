"""The operator's monthly budget of posts from X, which parallel imports don't exceed."""

from __future__ import annotations

from datetime import date

from botfactory.words.translatable import Sentence, counted_sentence
from tweets.sources.base import BudgetSpent
from tweets.sources.budget import Budget
from tweets.sources.x.costs import SMALLEST_PAGE


def take_page(budget: Budget | None, wanted: int, today: date) -> int:
    """Reserve posts for the next page, and return how many: `wanted`, or fewer if the budget is almost used up.

    X has no page of fewer than five posts, so up to four posts of a month may remain. Raises BudgetSpent at the end.
    """
    if budget is None:
        return wanted
    taken = budget.take(wanted)
    if taken < SMALLEST_PAGE:
        budget.give_back(taken)
        raise BudgetSpent(budget.spent(today))
    return taken


def spent_sentence(monthly_posts: int, today: date) -> Sentence:
    """Return what the person reads when the budget of this month is used up."""
    following = date(today.year + today.month // 12, today.month % 12 + 1, 1)
    return counted_sentence(
        "This month’s %(count)s post from X is used up. Posts read so far are kept. Continue on %(day)s, or ask the "
        "administrator to raise X_MONTHLY_POSTS. Your own X archive doesn’t count.",
        "This month’s %(count)s posts from X are used up. Posts read so far are kept. Continue on %(day)s, or ask the "
        "administrator to raise X_MONTHLY_POSTS. Your own X archive doesn’t count.",
        monthly_posts,
        day=f"{following.day} {following:%B}",
    )
