from __future__ import annotations

import pytest
from django.test import Client

from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots.rows import TrainedModel
from models_app.training import planning
from tweets.models import Corpus

from .actions import act

pytestmark = pytest.mark.django_db(transaction=True)


def test_jobs_are_cancelled_and_tried_again(desk: Client, corpus: Corpus, base: TrainedModel) -> None:
    job = planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base)
    act(desk, "jobs/job", "cancel_jobs", job)
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    act(desk, "jobs/job", "retry_jobs", job)
    job.refresh_from_db()
    assert job.state == State.QUEUED


def test_what_cannot_be_done_is_told(desk: Client, model: TrainedModel) -> None:
    assert model.job is not None
    assert "Only a failed or cancelled job" in act(desk, "jobs/job", "retry_jobs", model.job)
    desk.cookies["django_language"] = "de"
    page = act(desk, "jobs/job", "retry_jobs", model.job)
    assert "Noch einmal versuchen" in page and "Train Bot:" not in page


def test_nobody_writes_the_states_by_hand(desk: Client, model: TrainedModel) -> None:
    assert model.job is not None
    desk.post(f"/admin/jobs/job/{model.job.pk}/change/", {"state": "failed", "title": "changed"})
    job = Job.objects.get(pk=model.job.pk)
    assert (job.state, job.title) == (State.SUCCEEDED, "Train Bot")


def test_the_page_of_a_job_names_it_in_the_language_of_the_reader(desk: Client, model: TrainedModel) -> None:
    desk.cookies["django_language"] = "de"
    page = desk.get(f"/admin/jobs/job/{model.job_id}/change/").content.decode()
    assert "Bot trainieren (Fertig)" in page and "succeeded)" not in page
