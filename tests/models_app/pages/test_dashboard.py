"""The dashboard: what is at work, what is ready and what needs the person, each in a bounded number of rows."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots.rows import TrainedModel
from models_app.pages.dashboard import MOST, RECENTLY, dashboard_for_user
from tests.conftest import signed_in
from tests.web.test_lists import main_of, make_bots, make_corpora, make_jobs
from tweets.models import MIN_CHARACTERS, Corpus

pytestmark = pytest.mark.django_db


def parts(owner: User) -> dict[str, list[str]]:
    """Return the titles of the dashboard's parts with the links of their rows and cards."""
    main = main_of(signed_in(owner), "/")
    found = {}
    for section in re.findall(r"<section aria-labelledby=(.*?)</section>", main):
        title = re.findall(r"<h2[^>]*>([^<]+)<", section)[0]
        found[title] = re.findall(r'<a href="/\w+/[0-9a-f-]{36}/">([^<]+)<', section)
    return found


def test_somebody_new_sees_how_to_begin(alice: User, bob: User) -> None:
    make_bots(bob, 1)
    make_jobs(bob, 1, state=State.RUNNING)
    main = main_of(signed_in(alice), "/")
    assert "make your first bot" in main and "<section aria-labelledby" not in main


def test_each_thing_is_in_its_part(alice: User) -> None:
    make_corpora(alice, 1, posts_kept=412, characters=40_000)
    make_bots(alice, 1)
    make_jobs(alice, 1, state=State.RUNNING)
    assert parts(alice) == {"At work": ["Import 0."], "Needs you": ["Posts 0."], "Ready": ["Bot 0."]}
    main = main_of(signed_in(alice), "/")
    assert "412 posts, no bot yet" in main
    assert f'{TrainedModel.objects.get().get_absolute_url()}#write-form" aria-label="Write with Bot 0."' in main


def test_each_part_is_bounded_and_leads_to_its_list(alice: User) -> None:
    make_corpora(alice, 30)
    make_bots(alice, 30)
    make_jobs(alice, 30, state=State.RUNNING)
    make_jobs(alice, 30, state=State.FAILED, finished_at=timezone.now())
    found = parts(alice)
    assert {title: len(rows) for title, rows in found.items()} == {
        "At work": MOST,
        "Needs you": 2 * MOST,
        "Ready": MOST,
    }
    main = main_of(signed_in(alice), "/")
    for address in ("/jobs/?state=active", "/jobs/?state=failed", "/corpora/", "/models/"):
        assert f'<a href="{address}">All' in main, address


def test_what_runs_comes_before_what_waits(alice: User) -> None:
    make_jobs(alice, 10, state=State.QUEUED)
    make_jobs(alice, 1, state=State.RUNNING)
    Job.objects.filter(state=State.RUNNING).update(title="Runs")
    assert dashboard_for_user(alice).at_work[0].title == "Runs"


def test_posts_wait_for_a_training_until_a_job_uses_them_or_a_bot_has_learned_them(alice: User, bob: User) -> None:
    make_corpora(alice, 3)
    make_corpora(bob, 1)
    used, learned, waiting = Corpus.objects.filter(owner=alice).order_by("name")
    make_jobs(alice, 1, state=State.QUEUED, kind="fine_tune", subject_id=used.pk)
    make_bots(alice, 1, corpus=learned)
    # Another's bot of the same posts doesn't count.
    make_bots(bob, 1, corpus=waiting)
    assert dashboard_for_user(alice).idle == [waiting]
    Job.objects.update(state=State.CANCELLED)
    TrainedModel.objects.all().delete()
    assert len(dashboard_for_user(alice).idle) == 3


def test_a_failure_can_be_tried_again_until_something_newer_has_made_up_for_it(alice: User) -> None:
    make_corpora(alice, 1)
    corpus = Corpus.objects.get()
    now = timezone.now()
    failed = {"state": State.FAILED, "error_message": "The disk is full.", "finished_at": now}
    make_jobs(alice, 1, kind="fine_tune", subject_id=corpus.pk, created_at=now - timedelta(hours=1), **failed)
    job = Job.objects.get()
    main = main_of(signed_in(alice), "/")
    assert f'action="/jobs/{job.pk}/retry"' in main and "The disk is full." in main
    # The row of the failure is enough; the posts have no other.
    assert parts(alice)["Needs you"] == ["Import 0."]
    # Another kind of job makes up for nothing.
    make_jobs(alice, 1, kind="import", subject_id=corpus.pk)
    assert [one.job for one in dashboard_for_user(alice).failed] == [job]
    make_jobs(alice, 1, kind="fine_tune", subject_id=corpus.pk)
    assert dashboard_for_user(alice).failed == []


def test_an_old_failure_no_longer_needs_anybody(alice: User) -> None:
    make_bots(alice, 1)
    make_jobs(alice, 1, state=State.FAILED, finished_at=timezone.now() - RECENTLY - timedelta(minutes=1))
    assert "Needs you" not in parts(alice)


def test_a_failed_import_is_told_once_beside_its_posts(alice: User) -> None:
    make_corpora(alice, 1, state=Corpus.State.FAILED)
    why = {"error_code": "bad_file", "error_message": "This isn’t a ZIP.", "finished_at": timezone.now()}
    make_jobs(alice, 1, state=State.FAILED, subject_id=Corpus.objects.get().pk, **why)
    main = main_of(signed_in(alice), "/")
    assert parts(alice)["Needs you"] == ["Posts 0."] and main.count("This isn’t a ZIP.") == 1


def test_no_failed_import_is_offered_again_without_a_cure_however_many_there_are(alice: User) -> None:
    make_corpora(alice, MOST + 3, state=Corpus.State.FAILED)
    for corpus in Corpus.objects.all():
        make_jobs(alice, 1, state=State.FAILED, subject_id=corpus.pk, finished_at=timezone.now())
    found = dashboard_for_user(alice)
    assert (len(found.idle), found.more_idle, found.failed) == (MOST, True, [])


@pytest.mark.parametrize(("posts", "told"), [(1, "1 post, too little for a bot"), (9, "9 posts, too few for a bot")])
def test_posts_that_no_bot_can_learn_from_are_called_too_few(alice: User, posts: int, told: str) -> None:
    make_corpora(alice, 1, posts_kept=posts, characters=MIN_CHARACTERS - 1)
    main = main_of(signed_in(alice), "/")
    assert told in main and "Make a bot" not in main
    Corpus.objects.update(characters=MIN_CHARACTERS)
    assert "Make a bot" in main_of(signed_in(alice), "/")


def test_only_the_person_tries_a_job_again(alice: User, bob: User) -> None:
    make_jobs(alice, 1, state=State.FAILED, finished_at=timezone.now())
    job = Job.objects.get()
    assert signed_in(bob).post(f"/jobs/{job.pk}/retry").status_code == 404
    assert dashboard_for_user(bob).is_empty
