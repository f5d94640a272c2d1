"""Removing a running job counts its time: deleting returns no minutes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from botfactory.accounts.models import Meter, User
from botfactory.jobs import services, worker
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.models import Job
from tests.conftest import signed_in
from tests.jobs.kinds import count_to_three, kind
from tests.tweets.helpers import pasted
from tweets.corpora import deletion, opt_out
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def _remove_the_corpus(job: Job) -> None:
    deletion.delete_corpus(Corpus.objects.get(), by=job.owner)


def _remove_the_job(job: Job) -> None:
    services.delete_jobs(Job.objects.filter(pk=job.pk))


def _remove_it_in_the_administration(job: Job) -> None:
    desk = signed_in(User.objects.create(username="desk", is_staff=True, is_superuser=True))
    assert desk.post(f"/admin/jobs/job/{job.pk}/delete/", {"post": "yes"}).status_code == 302


def _opt_out(job: Job) -> None:
    Corpus.objects.update(source="x", handle="town")
    opt_out.add(network="x", handle="town", by=job.owner)


@pytest.mark.parametrize("remove", [_remove_the_corpus, _remove_the_job, _remove_it_in_the_administration, _opt_out])
def test_who_removes_a_running_training_pays_for_the_minutes_that_it_took(
    alice: User, remove: Callable[[Job], None]
) -> None:
    corpus = pasted(alice, ["one", "two"])

    def run(handle: JobHandle) -> dict[str, Any]:
        Job.objects.filter(pk=handle.job.pk).update(claimed_at=timezone.now() - timedelta(minutes=10))
        remove(Job.objects.get(pk=handle.job.pk))
        return {}

    kind("metered", run, meter="training_minutes_a_day")
    job = services.submit(owner=alice, kind="metered", title="A training", arguments={}, subject_id=corpus.pk)
    worker.run(job.pk)
    assert not Job.objects.filter(pk=job.pk).exists()
    # Today's minutes, and yesterday's just after midnight; counted once, although its worker also ends the job.
    charged = sum(Meter.objects.filter(user=alice, name="training_minutes_a_day").values_list("amount", flat=True))
    assert 600 <= charged < 700


def test_removing_a_job_that_does_not_run_charges_nothing(alice: User) -> None:
    kind("metered", count_to_three, meter="training_minutes_a_day")
    waiting = services.submit(owner=alice, kind="metered", title="A training", arguments={})
    Job.objects.filter(pk=waiting.pk).update(claimed_at=timezone.now() - timedelta(minutes=10))
    services.delete_jobs(Job.objects.all())
    assert not Meter.objects.exists()
