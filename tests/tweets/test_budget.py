"""The operator's posts of X a month: counted in the database, and never exceeded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.states import State
from tests.fakes.x_api_server import TOKEN, XApiServer
from tests.tweets.helpers import run
from tweets import services
from tweets.budget import MonthlyBudget, XMonth

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def x_api(settings: Any) -> Iterator[XApiServer]:
    with XApiServer() as server:
        settings.X_API_URL, settings.X_BEARER_TOKEN = server.url, TOKEN
        yield server


def bought() -> int:
    return sum(XMonth.objects.values_list("posts", flat=True))


def test_what_is_taken_is_gone_until_it_is_given_back() -> None:
    budget, other = MonthlyBudget(250), MonthlyBudget(250)
    assert (budget.left(), budget.take(100), other.take(100), budget.take(100), other.take(100)) == (
        250,
        100,
        100,
        50,
        0,
    )
    other.give_back(30)
    assert (budget.left(), other.left(), bought()) == (30, 30, 220)
    assert MonthlyBudget(100).left() == 0 and MonthlyBudget(100).take(5) == 0  # the operator has lowered it


def test_each_month_has_its_own_and_gets_its_own_back(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = MonthlyBudget(100)
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 11, 30, 23, 59, tzinfo=UTC))
    assert budget.take(100) == 100
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 12, 1, tzinfo=UTC))
    budget.give_back(40)
    assert budget.left() == 100
    assert dict(XMonth.objects.values_list("month", "posts")) == {"2026-11": 60}


def test_many_at_once_take_no_more_than_there_is() -> None:
    taken: list[int] = []

    def work() -> None:
        budget = MonthlyBudget(500)
        try:
            for _ in range(12):
                taken.append(budget.take(17))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 48 and sum(taken) == bought() == 500


def test_an_import_ends_with_a_sentence_and_goes_on_when_there_are_more(
    alice: User, x_api: XApiServer, settings: Any
) -> None:
    settings.X_MONTHLY_POSTS = 130
    job, corpus = run(services.import_handle(owner=alice, handle="prolific"))
    assert (job.state, job.error_code) == (State.FAILED, "budget_spent")
    assert "130 posts of X in a month" in job.error_message and "X_MONTHLY_POSTS" in job.error_message
    assert corpus.posts.count() == bought() == 130
    settings.X_MONTHLY_POSTS = 5000
    job, corpus = run(jobs.retry(job))
    assert job.state == State.SUCCEEDED
    assert corpus.posts.count() == bought() == 3200


def test_newer_posts_are_counted_as_what_they_are(alice: User, x_api: XApiServer, settings: Any) -> None:
    settings.X_MONTHLY_POSTS = 5000
    corpus = run(services.import_handle(owner=alice, handle="chatty"))[1]
    assert bought() == 19
    x_api.publish("chatty", ["one more", "and another"])
    run(services.bring_newer(corpus))
    assert bought() == 21


def test_nothing_is_bought_where_the_operator_pays_for_nothing(alice: User, x_api: XApiServer, settings: Any) -> None:
    settings.X_MONTHLY_POSTS = 0
    job, _ = run(services.import_handle(owner=alice, handle="chatty"))
    assert job.error_code == "budget_spent" and bought() == 0
    assert not any("/tweets" in request.path for request in x_api.requests)
