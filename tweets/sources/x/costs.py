"""What it costs to read an account of X, which charges for each post and each lookup."""

from __future__ import annotations

from decimal import Decimal

from tweets.sources.base import SourceSettings
from tweets.sources.x.settings import XSettings

SMALLEST_PAGE, LARGEST_PAGE = 5, 100  # posts in one answer of the API


def estimated_cost(posts: int, settings: SourceSettings) -> Decimal:
    """Return the dollars that an import of this many posts costs at most, including one lookup of the account."""
    prices = settings.of(XSettings)
    return prices.user_price + _bought(min(posts, settings.max_posts)) * prices.post_price


def affordable_posts(budget: Decimal, settings: SourceSettings) -> int:
    """Return the number of posts, up to `max_posts`, whose import costs at most `budget` dollars."""
    prices = settings.of(XSettings)
    left = budget - prices.user_price
    if left < 0:
        return 0
    if prices.post_price <= 0:
        return settings.max_posts
    posts = min(settings.max_posts, int(left / prices.post_price))
    return posts if _bought(posts) * prices.post_price <= left else posts - posts % LARGEST_PAGE


def _bought(posts: int) -> int:
    """Return how many posts are paid for: the last page may be larger than needed."""
    last = posts % LARGEST_PAGE
    return posts + (SMALLEST_PAGE - last if 0 < last < SMALLEST_PAGE else 0)
