"""Simultaneous requests that change a corpus or need it unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from botfactory.accounts.models import User
from botfactory.jobs import ending, worker
from botfactory.jobs import services as jobs
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tests.accounts.test_limits import all_at_once
from tests.conftest import signed_in
from tests.fakes.posts import make_posts
from tests.tweets.helpers import pasted, run
from tweets.cleaning import CleaningRules
from tweets.corpora import blend, deletion, idle, services
from tweets.corpora.errors import CorpusBusy, CorpusError
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

#: How often each is tried: without the lock, two of three tries went wrong.
ROUNDS = 4


@pytest.fixture
def corpus(alice: User) -> Corpus:
    return pasted(alice, make_posts(40))


@pytest.fixture
def account(corpus: Corpus) -> Corpus:
    """A corpus of an account, all of whose posts are here."""
    Corpus.objects.filter(pk=corpus.pk).update(source="bluesky", handle="town.example")
    return Corpus.objects.get(pk=corpus.pk)


def rounds(corpus: Corpus) -> Iterator[Corpus]:
    """Yield the corpus repeatedly, each time idle."""
    for _ in range(ROUNDS):
        jobs.delete_jobs(Job.objects.filter(subject_id=corpus.pk))
        Corpus.objects.filter(pk=corpus.pk).update(state=Corpus.State.READY)
        yield Corpus.objects.get(pk=corpus.pk)


def test_a_corpus_whose_cleaning_is_deleted_can_be_cleaned_again(alice: User, admin: User, corpus: Corpus) -> None:
    job = services.reclean(corpus, CleaningRules())
    Job.objects.exclude(pk=job.pk).delete()
    desk, client = signed_in(admin), signed_in(alice)
    desk.post("/admin/jobs/job/", {"action": "delete_selected", "_selected_action": [str(job.pk)], "post": "yes"})
    corpus.refresh_from_db()
    assert (corpus.state, Job.objects.count()) == (Corpus.State.FAILED, 0)
    page = client.get(f"/corpora/{corpus.pk}/").content.decode()
    assert f'href="/corpora/{corpus.pk}/clean"' in page and "Try again" not in page
    assert client.get(f"/corpora/{corpus.pk}/clean").status_code == 200
    worker.run(services.reclean(corpus, CleaningRules()).pk)
    corpus.refresh_from_db()
    assert corpus.is_ready


def in_turn(*acts: Callable[[], Any]) -> list[Any]:
    """Start them together and return the results."""
    left = list(acts)
    return all_at_once(lambda: left.pop()(), times=len(acts))


def queued(came: list[Any]) -> int:
    assert all(isinstance(one, Job | CorpusBusy | NotPossible) for one in came), came
    return sum(isinstance(one, Job) for one in came)


def test_posts_that_are_cleaned_twice_at_once_are_cleaned_once(corpus: Corpus) -> None:
    for held in rounds(corpus):
        assert queued(all_at_once(lambda: services.reclean(held, CleaningRules()), times=2)) == 1  # noqa: B023
        assert idle.busy_jobs(held).count() == 1


def test_newer_posts_asked_for_twice_at_once_are_brought_once(account: Corpus) -> None:
    for held in rounds(account):
        assert queued(all_at_once(lambda: services.bring_newer(held), times=2)) == 1  # noqa: B023


def test_posts_are_not_cleaned_while_newer_ones_come(account: Corpus) -> None:
    for held in rounds(account):
        came = in_turn(lambda: services.bring_newer(held), lambda: services.reclean(held, CleaningRules()))  # noqa: B023
        assert queued(came) == 1


def failed(job: Job) -> None:
    ending.end(Job.objects.filter(pk=job.pk), State.FAILED, error_code="test", said="It failed.")


def test_an_import_is_not_tried_again_while_the_posts_are_cleaned(account: Corpus) -> None:
    for held in rounds(account):
        job = services.bring_newer(held)
        failed(job)
        came = in_turn(lambda: jobs.retry(job), lambda: services.reclean(held, CleaningRules()))  # noqa: B023
        assert queued(came) == 1
        assert Corpus.objects.get(pk=held.pk).state == Corpus.State.IMPORTING


def test_a_failed_import_is_either_tried_again_or_replaced(alice: User) -> None:
    for _ in range(ROUNDS):
        job = services.import_text(owner=alice, text="one\ntwo")
        failed(job)
        corpus = Corpus.objects.get(pk=job.arguments["corpus"])
        came = in_turn(
            lambda: jobs.retry(job),  # noqa: B023
            lambda: services.import_text(owner=alice, text="three\nfour", instead=corpus),  # noqa: B023
        )
        again = sum(isinstance(one, Job) and one.pk == job.pk for one in came)
        assert all(isinstance(one, Job | Job.DoesNotExist) for one in came), came
        assert Corpus.objects.filter(pk=corpus.pk).count() == idle.busy_jobs(corpus).count() == again
        deletion.delete_corpora_of(alice)


def test_nothing_begins_with_posts_that_are_being_deleted(alice: User) -> None:
    for _ in range(ROUNDS):
        corpus = pasted(alice, make_posts(5))
        came = in_turn(
            lambda: services.reclean(corpus, CleaningRules()),  # noqa: B023
            lambda: deletion.delete_corpus(corpus, by=alice),  # noqa: B023
        )
        assert all(isinstance(one, Job | deletion.Gone | CorpusError) for one in came), came
        assert not Job.objects.filter(subject_id=corpus.pk).exists()
        assert not Corpus.objects.filter(pk=corpus.pk).exists()


def test_what_is_asked_of_posts_that_were_deleted_in_the_meantime_is_refused(corpus: Corpus) -> None:
    Corpus.objects.filter(pk=corpus.pk).delete()
    with pytest.raises(CorpusError, match="deleted"):
        services.reclean(corpus, CleaningRules())


def test_a_blend_waits_until_its_parts_are_cleaned(alice: User, corpus: Corpus) -> None:
    other = pasted(alice, make_posts(20, seed=2), name="Other")
    job = blend.blend(owner=alice, weights={corpus.pk: 1, other.pk: 1})
    again = services.reclean(corpus, CleaningRules(keep_replies=True))
    job, blended = run(job)
    assert (job.state, blended.posts_found) == (State.QUEUED, 0)
    assert "are being cleaned" in job.progress["message"]
    run(again)
    Job.objects.filter(pk=job.pk).update(available_at=job.created_at)
    job, blended = run(job)
    assert job.state == State.SUCCEEDED
    assert blended.posts_found == sum(part["posts"] for part in blended.parts)


def test_a_blend_of_posts_whose_cleaning_failed_says_so(alice: User, corpus: Corpus) -> None:
    other = pasted(alice, make_posts(20, seed=2), name="Other")
    job = blend.blend(owner=alice, weights={corpus.pk: 1, other.pk: 1})
    failed(services.reclean(corpus, CleaningRules(keep_replies=True)))
    job, _ = run(job)
    assert (job.state, job.error_code) == (State.FAILED, "bad_blend")
    assert corpus.name in job.error_message and "cleaning didn’t finish" in job.error_message
