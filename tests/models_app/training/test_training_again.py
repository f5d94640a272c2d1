"""Retrying a cancelled training: what is saved, what the page shows, and for how long."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import CharField
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs import worker
from botfactory.jobs.errors import JobCancelled
from botfactory.jobs.handle import work_dir
from botfactory.jobs.models import KEEP_WORK_HOURS, Job
from botfactory.jobs.states import State
from models_app.bots.rows import BaseChange, TrainedModel
from models_app.search.rows import Search
from models_app.training import planning
from tests.conftest import signed_in
from tests.jobs.folders import kept_dir
from tests.models_app.conftest import import_posts
from tests.rest.helpers import Program, require_error
from tweets.models import Corpus, Post

pytestmark = pytest.mark.django_db(transaction=True)

EPOCHS = 3


@pytest.fixture
def cancelled(corpus: Corpus, base: TrainedModel) -> Job:
    """A training that was cancelled after two of three epochs."""
    job = planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base, epochs=EPOCHS, seed=5, run_here=True)

    def cancel_after_two(kind: str, payload: dict[str, Any]) -> None:
        if kind == "epoch" and payload["epoch"] == 2:
            raise JobCancelled("Cancelled.")

    job = worker.run_claimed(job, listener=cancel_after_two)
    assert job.state == State.CANCELLED
    return job


def again(job: Job) -> Job:
    jobs.retry(job)
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED, job.error_message
    return job


def told(job: Job) -> list[tuple[str, int]]:
    """Return the events of its epochs, in order."""
    events = job.events.filter(kind__in=["epoch", "resumed"]).order_by("sequence")
    return [(event.kind, event.payload.get("epoch", event.payload.get("epochs"))) for event in events]


def shown(job: Job) -> list[int]:
    answer = Program(job.owner).get(f"/jobs/{job.pk}/checkpoints")
    return [epoch["epoch"] for epoch in answer.json()["data"]]


def test_a_cancelled_training_that_is_tried_again_goes_on_from_the_epochs_that_are_shown(cancelled: Job) -> None:
    first = [event.payload for event in cancelled.events.filter(kind="epoch")]
    job = again(cancelled)
    assert told(job) == [("epoch", 1), ("epoch", 2), ("epoch", 3)]
    assert [event.payload for event in job.events.filter(kind="epoch")][:2] == first
    assert shown(job) == [1, 2, 3]
    model = TrainedModel.objects.get(job=job)
    assert model.seconds >= sum(entry["seconds"] for entry in model.history) > 0


def test_a_training_whose_kept_epochs_are_gone_shows_the_new_ones_in_their_place(cancelled: Job) -> None:
    shutil.rmtree(work_dir(cancelled))
    job = again(cancelled)
    assert told(job) == [("epoch", 1), ("epoch", 2), ("resumed", 0), ("epoch", 1), ("epoch", 2), ("epoch", 3)]
    assert shown(job) == [1, 2, 3]
    best = Program(job.owner).get(f"/jobs/{job.pk}").json()["best_checkpoint"]
    model = TrainedModel.objects.get(job=job)
    assert [entry["epoch"] for entry in model.history] == [1, 2, 3] and best["epoch"] == model.kept_epoch


def test_a_training_whose_posts_were_changed_in_the_meantime_begins_anew_and_says_so(cancelled: Job) -> None:
    Post.objects.filter(pk=Post.objects.earliest("pk").pk).update(dropped="removed", cleaned="")
    assert told(again(cancelled))[2:4] == [("resumed", 0), ("epoch", 1)]


def test_a_training_whose_last_epoch_was_not_saved_goes_on_from_the_one_before(cancelled: Job) -> None:
    state = next(kept_dir(cancelled).iterdir())
    cancelled.events.create(sequence=99, kind="epoch", payload={**_payload(cancelled), "epoch": 3})
    Job.objects.filter(pk=cancelled.pk).update(last_sequence=99)
    assert state.exists() and shown(cancelled) == [1, 2, 3]
    assert told(again(cancelled))[3:] == [("resumed", 2), ("epoch", 3)]


def _payload(job: Job) -> dict[str, Any]:
    return dict(job.events.filter(kind="epoch")[0].payload)


def test_the_page_of_a_cancelled_training_knows_until_when_its_epochs_are_kept(cancelled: Job) -> None:
    page = signed_in(cancelled.owner).get(f"/jobs/{cancelled.pk}/events").json()["job"]
    assert cancelled.finished_at is not None
    until = cancelled.finished_at + timedelta(hours=KEEP_WORK_HOURS)
    assert page["kept_until"] == until.isoformat() and until > timezone.now()
    told_by_api = Program(cancelled.owner).get(f"/jobs/{cancelled.pk}").json()["kept_until"]
    assert told_by_api.startswith(f"{until:%Y-%m-%dT%H:%M:%S}")
    jobs.retry(cancelled)
    assert Program(cancelled.owner).get(f"/jobs/{cancelled.pk}").json()["kept_until"] is None


@pytest.mark.parametrize(("tier", "batch", "most"), [("fluent", 256, "8,192"), ("quick", 4096, "65,536")])
def test_a_training_whose_step_cannot_fit_into_memory_is_refused(
    alice: User, base: TrainedModel, fluent: TrainedModel, tier: str, batch: int, most: str
) -> None:
    asked = {"kind": "fine_tune", "tier": tier, "corpus": str(import_posts(alice).pk), "sequence_length": 1024}
    answer = Program(alice).post("/jobs", {**asked, "batch_size": batch})
    assert most in require_error(answer, 422, "bad_request", "batch_size")
    assert Program(alice).post("/jobs", {**asked, "batch_size": 8}).status_code == 202


def test_a_training_that_is_started_while_the_posts_are_cleaned_says_so(corpus: Corpus, base: TrainedModel) -> None:
    Corpus.objects.filter(pk=corpus.pk).update(state=Corpus.State.IMPORTING)
    answer = signed_in(corpus.owner).post(f"/corpora/{corpus.pk}/", {"start": str(base.pk)})
    page = answer.content.decode()
    assert answer.status_code == 400 and page.count("data-form-errors") == 1
    assert "These posts are being imported or cleaned. Wait until that ends." in page


def test_the_name_of_any_bot_fits_where_a_training_or_a_search_started() -> None:
    longest = TrainedModel(name="b" * 80, owner=User(username="a" * 150)).full_name
    for model, name in ((TrainedModel, "parent_name"), (Search, "start_name"), (BaseChange, "model_name")):
        field = model._meta.get_field(name)
        assert isinstance(field, CharField) and len(longest) == 231 <= (field.max_length or 0)
