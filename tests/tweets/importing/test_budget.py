"""The operator's monthly budget of posts from X is counted in the database and never exceeded."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.utils import timezone

from botfactory.accounts import limits
from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs import services as jobs
from botfactory.jobs import worker
from botfactory.jobs.states import State
from tests.at_once import at_once
from tests.conftest import signed_in
from tests.fakes.x_api_server import XApiServer
from tests.tweets.helpers import run
from tweets.corpora import deletion, services
from tweets.corpora.budget import MonthlyBudget, XMonth

TODAY = date(2026, 11, 25)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


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
    def work() -> int:
        budget = MonthlyBudget(500)
        return sum(budget.take(17) for _ in range(12))

    assert sum(at_once(4, work)) == bought() == 500


def test_an_import_ends_with_a_sentence_and_goes_on_when_there_are_more(
    alice: User, x_api: XApiServer, settings: Any
) -> None:
    settings.X_MONTHLY_POSTS = 130
    job, corpus = run(services.import_handle(owner=alice, handle="prolific"))
    assert (job.state, job.error_code) == (State.FAILED, "budget_spent")
    assert "130 posts from X are used up" in job.error_message and "X_MONTHLY_POSTS" in job.error_message
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


def test_a_person_buys_up_to_their_own_limit_and_the_server_counts_them_all(alice: User, bob: User) -> None:
    PersonalLimits.objects.create(user=alice, x_posts_a_month=100)
    hers, his = MonthlyBudget(250, alice), MonthlyBudget(250, bob)
    assert (hers.left(), hers.monthly_posts, hers.take(80), hers.take(80)) == (100, 100, 80, 20)
    assert (hers.left(), hers.take(5), hers.is_personal, his.is_personal) == (0, 0, True, False)
    assert "100 posts from X a month" in hers.spent(TODAY) and "250 posts from X" in his.spent(TODAY)
    assert (his.left(), his.take(200), bought()) == (150, 150, 250)
    hers.give_back(30)
    assert (bought(), limits.usage_of(alice).x_posts_a_month, limits.usage_of(bob).x_posts_a_month) == (220, 70, 150)
    # What the server has no budget for doesn't count for the person.
    PersonalLimits.objects.filter(user=alice).update(x_posts_a_month=500)
    assert MonthlyBudget(220, alice).take(10) == 0 and limits.usage_of(alice).x_posts_a_month == 70


def test_an_import_ends_at_the_persons_limit_and_another_is_refused(
    alice: User, bob: User, x_api: XApiServer, settings: Any
) -> None:
    settings.LIMIT_X_POSTS = 130
    job, corpus = run(services.import_handle(owner=alice, handle="prolific"))
    assert (job.state, job.error_code) == (State.FAILED, "budget_spent")
    assert "130 posts from X a month" in job.error_message and "X_MONTHLY_POSTS" not in job.error_message
    assert corpus.posts.count() == limits.usage_of(alice).x_posts_a_month == 130
    with pytest.raises(limits.LimitReached, match="130 posts from X a month"):
        services.import_handle(owner=alice, handle="chatty")
    page = signed_in(alice).post("/corpora/new", {"way": "x", "x": "chatty", "basis": "own"})
    assert page.status_code == 400 and "130 posts from X a month" in page.content.decode()
    deletion.delete_corpus(corpus, by=alice)
    assert limits.usage_of(alice).x_posts_a_month == 130
    assert run(services.import_handle(owner=bob, handle="chatty"))[0].state == State.SUCCEEDED


def test_the_operator_at_the_terminal_buys_beyond_a_persons_limit(
    alice: User, x_api: XApiServer, settings: Any
) -> None:
    settings.LIMIT_X_POSTS = 0
    job = worker.run_claimed(services.import_handle(owner=alice, handle="chatty", run_here=True))
    assert job.state == State.SUCCEEDED
    assert limits.usage_of(alice).x_posts_a_month == bought() == 19
