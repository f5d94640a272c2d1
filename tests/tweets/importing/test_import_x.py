"""Imports from X as jobs: pages, and every way in which the source can fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tests.fakes.x_api_server import TOKEN, XApiServer
from tests.tweets.helpers import run
from tweets.corpora import errors, learning, offered, services
from tweets.importing import runner
from tweets.models import Corpus
from tweets.sources import base

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_x_timeline_comes_in_pages_with_live_counts_up_to_3200(alice: User, x_api: XApiServer) -> None:
    job, corpus = run(services.import_handle(owner=alice, handle=" https://x.com/prolific "))
    assert job.state == State.SUCCEEDED, job.error_message
    pages = [event.payload for event in job.events.filter(kind="page")]
    assert pages[-1]["total"] == corpus.posts_found == 3200
    assert {"new": 100, "total": 800} in pages
    sold = x_api.pages_sold()
    assert len(sold) == len(set(sold)) == 32


def test_reposts_of_x_are_bought_only_where_they_are_wanted(alice: User, x_api: XApiServer) -> None:
    _, without = run(services.import_handle(owner=alice, handle="@chatty"))
    _, wanted = run(services.import_handle(owner=alice, handle="@chatty", keep_reposts=True))
    assert without.posts.filter(is_repost=True).count() == 0 < wanted.posts.filter(is_repost=True).count()
    assert set(without.posts.values_list("key", flat=True)) < set(wanted.posts.values_list("key", flat=True))


def test_long_posts_come_in_full(alice: User, x_api: XApiServer) -> None:
    corpus = run(services.import_handle(owner=alice, handle="@essayist"))[1]
    assert max(len(post) for post in learning.training_posts(corpus)) > 280


@pytest.mark.parametrize(
    ("handle", "code", "words"),
    [
        ("nobody_there", "unknown_handle", "nobody_there"),
        ("suspended", "suspended_handle", "suspended"),
        ("protected", "protected_handle", "protected"),
        ("empty", "no_posts", "post"),
        ("nocredits", "no_credits", "credit"),
    ],
)
def test_accounts_that_cannot_be_imported_are_told(
    alice: User, x_api: XApiServer, handle: str, code: str, words: str
) -> None:
    job, corpus = run(services.import_handle(owner=alice, handle=handle))
    assert (job.state, job.error_code, corpus.state) == (State.FAILED, code, "failed")
    assert words in job.error_message and TOKEN not in job.error_message


def test_a_bad_token_is_told_without_showing_it(alice: User, x_api: XApiServer, settings: Any) -> None:
    settings.X_BEARER_TOKEN = "wrong-token"
    job, _ = run(services.import_handle(owner=alice, handle="prolific"))
    assert (job.state, job.error_code) == (State.FAILED, "bad_credentials")
    assert "wrong-token" not in job.error_message


def test_a_rate_limit_waits_in_the_queue_until_its_time_and_buys_no_page_twice(alice: User, x_api: XApiServer) -> None:
    job, corpus = run(services.import_handle(owner=alice, handle="limited"))
    assert (job.state, job.progress["phase"]) == (State.QUEUED, "waiting")
    assert timezone.now() < job.available_at < timezone.now() + timedelta(minutes=16)
    assert 0 < corpus.posts_found < 420
    assert job.events.get(kind="waiting").payload["until"] == job.available_at.isoformat()
    Job.objects.filter(pk=job.pk).update(available_at=timezone.now())
    job, corpus = run(job)
    assert (job.state, corpus.posts_found) == (State.SUCCEEDED, 420)
    sold = x_api.pages_sold()
    assert len(sold) == len(set(sold))


@pytest.mark.parametrize("handle", ["flaky", "cut"])
def test_an_unreliable_line_loses_nothing_and_buys_nothing_twice(alice: User, x_api: XApiServer, handle: str) -> None:
    job, corpus = run(services.import_handle(owner=alice, handle=handle))
    assert (job.state, corpus.posts_found) == (State.SUCCEEDED, 420), job.error_message
    sold = x_api.pages_sold()
    assert len(sold) == len(set(sold))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a failed source be asked again only by the next attempt of the job."""
    settings = offered.settings_for

    def impatiently(corpus: Corpus, *, at_terminal: bool) -> base.SourceSettings:
        return replace(settings(corpus, at_terminal=at_terminal), retry_delays=())

    monkeypatch.setattr(offered, "settings_for", impatiently)


def test_a_source_is_given_up_for_failures_in_a_row_and_not_for_all_of_them(
    alice: User, x_api: XApiServer, impatient: None
) -> None:
    job = services.import_handle(owner=alice, handle="flaky")
    # Each of its five pages fails once, and so does the look-up of the account.
    for attempt in range(1, 7):
        job, _ = run(job)
        assert (job.state, job.attempt) == (State.QUEUED, attempt), job.error_message
        Job.objects.filter(pk=job.pk).update(available_at=timezone.now())
    job, corpus = run(job)
    assert (job.state, corpus.posts_found) == (State.SUCCEEDED, 420), job.error_message


def test_a_source_that_is_down_is_asked_again_later_and_at_last_given_up(
    alice: User, x_api: XApiServer, impatient: None
) -> None:
    job = services.import_handle(owner=alice, handle="down")
    for attempt in range(1, runner.ATTEMPTS):
        job, _ = run(job)
        assert (job.state, job.attempt) == (State.QUEUED, attempt)
        assert job.available_at > timezone.now()
        Job.objects.filter(pk=job.pk).update(available_at=timezone.now())
    job, corpus = run(job)
    assert (job.state, job.error_code, corpus.state) == (State.FAILED, "source_unavailable", "failed")


def test_without_a_token_handles_are_not_offered(alice: User) -> None:
    with pytest.raises(errors.NotOffered, match="X_BEARER_TOKEN"):
        services.import_handle(owner=alice, handle="@prolific")


@pytest.mark.parametrize("handle", ["", "@", "two words", "https://example.com/name", "a" * 16, "naïve"])
def test_what_is_no_handle_is_told(alice: User, x_api: XApiServer, handle: str) -> None:
    with pytest.raises(errors.BadHandle):
        services.import_handle(owner=alice, handle=handle)
    assert not Corpus.objects.exists()
