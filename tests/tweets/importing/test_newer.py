"""Imports of newer posts into a corpus: nothing is missed, bought twice, or taken from another account."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.errors import JobCancelled
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.your_data import exporting
from tests.fakes.bluesky_server import BlueskyServer
from tests.fakes.mastodon_server import MastodonServer
from tests.fakes.posts import make_posts
from tests.fakes.x_api_server import XApiServer
from tests.tweets.helpers import run
from tests.your_data.zips import imported
from tweets.corpora import offered, services
from tweets.corpora.budget import XMonth
from tweets.models import Corpus
from tweets.sources.base import Page, Post, RateLimited

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

#: The fixture of each network's server, and one of its accounts.
ACCOUNTS = {"x_api": "essayist", "bluesky": "essays.example.com", "mastodon": "chatty"}


@pytest.fixture(params=ACCOUNTS)
def account(request: pytest.FixtureRequest, alice: User) -> tuple[Any, str, Corpus]:
    """The server of a network, the name of an account there, and its posts here."""
    api: XApiServer | BlueskyServer | MastodonServer = request.getfixturevalue(request.param)
    name = ACCOUNTS[request.param]
    handle = api.handle(name) if isinstance(api, MastodonServer) else name
    job, corpus = run(services.import_handle(owner=alice, handle=handle, network=request.param.removesuffix("_api")))
    assert job.state == State.SUCCEEDED, job.error_message
    api.requests.clear()
    return api, name, corpus


def require_refused(job: Job, corpus: Corpus, posts: int) -> None:
    """Check that an import of newer posts found another account and left the corpus as it was."""
    assert (job.state, job.error_code, corpus.state) == (State.FAILED, "other_account", "ready")
    assert f"{corpus.account} now belongs to another account" in job.error_message
    assert corpus.posts_found == corpus.posts.count() == posts


def cleaned_after(cancelled: Job) -> Corpus:
    """Run the job that a cancelled import has left, and return the corpus."""
    last = services.last_import(Corpus(pk=cancelled.subject_id))
    assert last is not None and last != cancelled
    job, corpus = run(last)
    assert (job.state, corpus.state) == (State.SUCCEEDED, Corpus.State.READY), job.error_message
    return corpus


def test_posts_of_an_account_that_took_the_handle_over_are_not_mixed_in(account: tuple[Any, str, Corpus]) -> None:
    api, name, corpus = account
    api.hand_over(name, make_posts(7, seed=3))
    job, now = run(services.bring_newer(corpus))
    require_refused(job, now, corpus.posts_found)
    assert len(api.requests) == 1, "the account was looked up, and no post was asked for"


def test_newer_posts_of_the_same_account_come_and_a_corpus_of_an_earlier_version_learns_its_id(
    account: tuple[Any, str, Corpus],
) -> None:
    api, name, corpus = account
    assert corpus.account_id
    for known in (corpus.account_id, ""):
        Corpus.objects.filter(pk=corpus.pk).update(account_id=known)
        api.publish(name, ["some news that came later"])
        job, now = run(services.bring_newer(corpus))
        assert (job.state, now.account_id) == (State.SUCCEEDED, corpus.account_id), job.error_message
    assert now.posts_found == corpus.posts_found + 2


def test_posts_that_moved_to_another_server_still_know_their_account(
    alice: User, bob: User, bluesky: BlueskyServer
) -> None:
    corpus = run(services.import_handle(owner=alice, handle="essays.example.com", network="bluesky"))[1]
    assert imported(bob, io.BytesIO(b"".join(exporting.pieces_of(alice)))).state == State.SUCCEEDED
    moved = Corpus.objects.get(owner=bob)
    assert moved.account_id == corpus.account_id
    bluesky.hand_over("essays.example.com", make_posts(7, seed=3))
    require_refused(*run(services.bring_newer(moved)), corpus.posts_found)


@pytest.fixture
def at_total(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, BaseException], None]:
    """Return what makes an import raise an error once, after the page with which it has so many posts."""
    planned: dict[int, BaseException] = {}
    progress = JobHandle.progress

    def breaks_off(handle: JobHandle, payload: dict[str, Any]) -> None:
        progress(handle, payload)
        if handle.job.events.filter(kind="page").exists() and (error := planned.pop(payload["total"], None)):
            raise error

    monkeypatch.setattr(JobHandle, "progress", breaks_off)
    return planned.__setitem__


#: Twelve posts are here. The first job gets 5 of 20 newer ones. The second gets the other 15, then 5 that came since.
@pytest.mark.parametrize("pause_at", [22, 32, 37])
def test_newer_posts_that_pause_anywhere_are_complete_and_none_is_bought_twice(
    alice: User,
    x_api: XApiServer,
    monkeypatch: pytest.MonkeyPatch,
    at_total: Callable[[int, BaseException], None],
    pause_at: int,
) -> None:
    monkeypatch.setattr(offered, "NETWORK_PAGE", 5)
    corpus = run(services.import_handle(owner=alice, handle="essayist"))[1]
    x_api.publish("essayist", make_posts(20, seed=3))
    at_total(17, JobCancelled("Cancelled."))
    job, corpus = run(services.bring_newer(corpus))
    assert (job.state, corpus.state, corpus.posts_found) == (State.CANCELLED, "importing", 17)
    corpus = cleaned_after(job)
    newest = make_posts(5, seed=4)
    x_api.publish("essayist", newest)
    at_total(pause_at, RateLimited("X asks for a pause.", timezone.now() + timedelta(minutes=15)))
    job, corpus = run(services.bring_newer(corpus))
    assert (job.state, corpus.posts_found) == (State.QUEUED, pause_at)
    Job.objects.filter(pk=job.pk).update(available_at=timezone.now())
    job, corpus = run(job)
    assert (job.state, corpus.posts_found) == (State.SUCCEEDED, 37), job.error_message
    assert set(newest) <= set(corpus.posts.values_list("text", flat=True))
    assert XMonth.objects.get().posts == 37


@pytest.mark.parametrize("end", [jobs.cancel, lambda job: jobs.delete_jobs(Job.objects.filter(pk=job.pk))])
def test_who_cancels_waiting_newer_posts_waits_for_no_cleaning(
    alice: User, bluesky: BlueskyServer, settings: Any, end: Callable[[Job], object]
) -> None:
    corpus = run(services.import_handle(owner=alice, handle=ACCOUNTS["bluesky"], network="bluesky"))[1]
    job, before = services.bring_newer(corpus), corpus.posts_found
    # As if it had paused after its first page.
    posts = (Post(f"new-{number}", text, None) for number, text in enumerate(make_posts(20, seed=3)))
    services.add_page(corpus, Page(tuple(posts), None))
    settings.LIMIT_QUEUED_JOBS = 1
    end(job)
    now = Corpus.objects.get(pk=corpus.pk)
    assert (now.state, now.posts.filter(cleaned="", dropped="").count()) == (Corpus.State.IMPORTING, 20)
    now = cleaned_after(job)
    assert now.posts_found == before + 20 == now.posts_kept + sum(now.dropped.values())


def test_newer_posts_that_are_cancelled_before_any_came_need_no_cleaning(alice: User, bluesky: BlueskyServer) -> None:
    corpus = run(services.import_handle(owner=alice, handle=ACCOUNTS["bluesky"], network="bluesky"))[1]
    job = services.bring_newer(corpus)
    jobs.cancel(job)
    assert (services.last_import(corpus), Corpus.objects.get().state) == (job, Corpus.State.READY)


def test_a_cancel_after_the_last_post_was_judged_leaves_right_counts(
    alice: User, bluesky: BlueskyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = run(services.import_handle(owner=alice, handle=ACCOUNTS["bluesky"], network="bluesky"))[1]
    bluesky.publish(ACCOUNTS["bluesky"], make_posts(20, seed=3))
    check = JobHandle.check

    def late(handle: JobHandle) -> None:
        check(handle)
        if corpus.posts.count() > corpus.posts_found and not corpus.posts.filter(cleaned="", dropped="").exists():
            raise JobCancelled("Cancelled.")

    monkeypatch.setattr(JobHandle, "check", late)
    job, _ = run(services.bring_newer(corpus))
    assert job.state == State.CANCELLED
    monkeypatch.setattr(JobHandle, "check", check)
    now = cleaned_after(job)
    assert now.posts_found == corpus.posts_found + 20
    assert now.posts_kept == now.posts.filter(dropped="").count() == now.posts_found - sum(now.dropped.values())
