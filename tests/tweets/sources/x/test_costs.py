from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweets.sources import SourceSettings
from tweets.sources.x.costs import affordable_posts, estimated_cost
from tweets.sources.x.settings import XSettings

SETTINGS = SourceSettings()


@pytest.mark.parametrize(
    ("posts", "cost"),
    [(0, "0.01"), (1, "0.035"), (5, "0.035"), (100, "0.51"), (103, "0.535"), (3200, "16.01"), (50_000, "16.01")],
)
def test_posts_and_one_look_up_are_paid_for(posts: int, cost: str) -> None:
    assert estimated_cost(posts, SETTINGS) == Decimal(cost)


def test_prices_are_settings() -> None:
    dear = SourceSettings(own=XSettings(post_price=Decimal("0.05"), user_price=Decimal("1")), max_posts=10_000)
    assert estimated_cost(10_000, dear) == Decimal("501")
    assert affordable_posts(Decimal("501"), dear) == 10_000
    free = SourceSettings(own=XSettings(post_price=Decimal(0), user_price=Decimal(0)))
    assert estimated_cost(3200, free) == 0 and affordable_posts(Decimal(0), free) == 3200


@pytest.mark.parametrize(
    ("budget", "posts"), [("0", 0), ("0.009", 0), ("0.01", 0), ("0.03", 0), ("0.035", 5), ("1", 198), ("100", 3200)]
)
def test_a_budget_buys_so_many_posts(budget: str, posts: int) -> None:
    assert affordable_posts(Decimal(budget), SETTINGS) == posts


@given(st.integers(0, 3000), st.sampled_from(["0.0049", "0.005", "0.0101", "0.37"]))
def test_what_is_affordable_keeps_to_the_budget_and_leaves_little_of_it(cents: int, price: str) -> None:
    settings = SourceSettings(own=XSettings(post_price=Decimal(price)))
    budget = Decimal(cents) / 100
    posts = affordable_posts(budget, settings)
    assert 0 <= posts <= 3200
    assert posts == 0 or estimated_cost(posts, settings) <= budget
    assert posts == 3200 or estimated_cost(posts + 5, settings) > budget
