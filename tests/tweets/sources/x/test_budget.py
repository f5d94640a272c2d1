from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from functools import partial
from typing import Any

import pytest

from tests.fakes.server import Answer, Replay
from tests.fakes.x_api_server import TOKEN, XApiServer
from tests.tweets.sources.helpers import posts_of
from tweets.sources import Source, SourceSettings, open_source
from tweets.sources.base import BudgetSpent, RateLimited
from tweets.sources.x.budget import spent_sentence, take_page
from tweets.sources.x.reader import XApiSource
from tweets.sources.x.settings import XSettings

TODAY = date(2026, 11, 25)


class Purse:
    """A budget in memory that remembers the most that was ever taken from it."""

    def __init__(self, monthly_posts: int) -> None:
        self.monthly_posts = monthly_posts
        self.spent = partial(spent_sentence, monthly_posts)
        self.taken = self.most_taken = 0
        self._lock = threading.Lock()

    def left(self) -> int:
        return self.monthly_posts - self.taken

    def take(self, posts: int) -> int:
        with self._lock:
            granted = max(0, min(posts, self.left()))
            self.taken += granted
            self.most_taken = max(self.most_taken, self.taken)
            return granted

    def give_back(self, posts: int) -> None:
        with self._lock:
            self.taken -= posts


@pytest.fixture
def api() -> Iterator[XApiServer]:
    with XApiServer() as server:
        yield server


def source_at(url: str, handle: str, purse: Purse, **options: Any) -> Source:
    defaults: dict[str, Any] = {"retry_delays": (0.01, 0.01), "timeout_seconds": 10}
    own = XSettings(bearer_token=TOKEN, api_url=url)
    return open_source("x", handle=handle, settings=SourceSettings(own=own, budget=purse, **defaults | options))


def sold_by(api: XApiServer) -> int:
    """Return the most posts that the requests answered with posts can have cost."""
    return sum(int(r.query.get("max_results", "0")) for r in api.requests if r.status == 200)


def test_the_last_page_is_trimmed_and_what_was_read_is_handed_on(api: XApiServer) -> None:
    purse = Purse(230)
    found: list[str] = []
    cursor: str | None = None
    with pytest.raises(BudgetSpent, match="230 posts from X are used up"):
        for page in source_at(api.url, "prolific", purse).pages():
            found += [post.key for post in page.posts]
            cursor = page.cursor
    assert found == [record["id"] for record in api.posts_of("prolific")[:230]]
    assert [request.query.get("max_results") for request in api.requests[1:]] == ["100", "100", "30"]
    assert purse.taken == purse.most_taken == 230 == sold_by(api)
    # Next month it continues from there.
    rest = posts_of(source_at(api.url, "prolific", Purse(10_000)).pages(cursor))
    assert [post.key for post in rest] == [record["id"] for record in api.posts_of("prolific")[230:3200]]


def test_a_short_account_gives_back_what_it_did_not_have(api: XApiServer) -> None:
    purse = Purse(1000)
    assert len(posts_of(source_at(api.url, "chatty", purse).pages())) == 20 == purse.taken


def test_fewer_posts_than_the_smallest_page_buy_nothing(api: XApiServer) -> None:
    for left in (0, 4):
        purse = Purse(left)
        with pytest.raises(BudgetSpent):
            list(source_at(api.url, "chatty", purse).pages())
        assert purse.taken == 0 and sold_by(api) == 0


def test_imports_at_once_do_not_buy_more_together(api: XApiServer) -> None:
    purse = Purse(1234)
    bought: list[int] = []

    def work() -> None:
        count = 0
        try:
            for page in source_at(api.url, "prolific", purse).pages():
                count += len(page.posts)
        except BudgetSpent:
            bought.append(count)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bought) == 4 and sum(bought) == purse.taken <= 1234 and purse.most_taken <= 1234
    assert 1234 - purse.taken < 5 and sold_by(api) <= 1234


def test_an_answer_that_broke_off_counts_as_bought_and_a_refusal_does_not(api: XApiServer) -> None:
    purse = Purse(10_000)
    whole = len(posts_of(source_at(api.url, "cut", purse).pages()))
    assert purse.taken == whole + 100
    for handle in ("limited", "flaky"):
        purse = Purse(10_000)
        came = 0
        with suppress(RateLimited):
            for page in source_at(api.url, handle, purse).pages():
                came += len(page.posts)
        assert came > 0 and purse.taken == came


def test_a_second_try_is_not_made_with_posts_that_are_not_there() -> None:
    user = Answer(200, {"data": {"id": "1", "public_metrics": {"tweet_count": 500}}})
    page = Answer(200, {"data": [{"id": str(n), "text": "a"} for n in range(100)]}, cut=True)
    purse = Purse(150)
    with Replay(user, page) as server, pytest.raises(BudgetSpent):
        list(source_at(server.url, "someone", purse).pages())
    assert purse.most_taken <= 150 and len(server.requests) == 2


def test_an_estimate_counts_no_more_than_is_left(api: XApiServer) -> None:
    settings = SourceSettings(own=XSettings(bearer_token=TOKEN, api_url=api.url), budget=Purse(700))
    account = XApiSource("prolific", settings).look_up()
    assert (account.posts, account.reachable) == (4000, 700)


def test_without_a_budget_a_page_is_as_large_as_it_is_wanted() -> None:
    assert take_page(None, 100, TODAY) == 100
    purse = Purse(40)
    assert take_page(purse, 100, TODAY) == 40 and purse.left() == 0


@pytest.mark.parametrize(
    ("today", "words"), [(TODAY, "1 December"), (date(2026, 12, 31), "1 January"), (date(2026, 1, 1), "1 February")]
)
def test_the_sentence_says_when_it_goes_on(today: date, words: str) -> None:
    assert f"Continue on {words}," in spent_sentence(3200, today) and "3,200 posts" in spent_sentence(3200, today)
