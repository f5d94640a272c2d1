"""What a training leaves if it's killed and if its bot, its job or its owner is deleted."""

from __future__ import annotations

import uuid
from pathlib import Path
from unittest.mock import Mock

import pytest
from django.conf import settings

from botfactory.accounts import services as accounts
from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs import worker
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bases import services as bases
from models_app.bots import demo_posts, files, loading, registry
from models_app.bots.rows import TrainedModel
from models_app.training import fine_tune_job
from tests.models_app.conftest import train
from tests.models_app.shared_bot import make_bot
from tests.models_app.training.test_report_cards import claimed
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


class Killed(BaseException):
    """Like kill -9 for the rows: nothing is cleaned up."""


def killed_in(step: str, corpus: Corpus, base: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Return the job of a training whose process is killed in this step of the runner."""
    with monkeypatch.context() as patch:
        patch.setattr(fine_tune_job, step, Mock(side_effect=Killed))
        with pytest.raises(Killed):
            train(corpus, base)
    return Job.objects.get(kind="fine_tune")


def test_what_a_killed_training_lacks_is_made_by_the_next_attempt(
    corpus: Corpus, base: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = killed_in("_report", corpus, base, monkeypatch)
    model = TrainedModel.objects.get(job=job)
    assert not model.report
    Job.objects.filter(pk=job.pk).update(state=State.INTERRUPTED)
    assert worker.run_claimed(claimed(job)).state == State.SUCCEEDED
    model.refresh_from_db()
    assert model.report


@pytest.mark.parametrize("state", [State.RUNNING, State.INTERRUPTED])
def test_a_bot_that_was_deleted_before_its_report_card_does_not_come_back(
    corpus: Corpus, base: TrainedModel, monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    job = killed_in("_report", corpus, base, monkeypatch)
    Job.objects.filter(pk=job.pk).update(state=state)
    registry.delete(TrainedModel.objects.get(job=job))
    job.refresh_from_db()
    assert job.state == (State.CANCELLING if state == State.RUNNING else State.CANCELLED)
    assert worker.claim(job.pk) is None and not TrainedModel.objects.filter(job=job).exists()


def interrupted(corpus: Corpus) -> tuple[Job, Path]:
    """Return the job of an instant bot that was killed while it was saved, and the folder that is left."""
    job = Job.objects.create(
        owner=corpus.owner,
        kind="instant_bot",
        queue="default",
        title="An instant bot",
        state=State.INTERRUPTED,
        attempt=1,
        subject_id=corpus.pk,
        arguments={"corpus": str(corpus.pk)},
    )
    number = uuid.uuid5(job.pk, "model")
    left = Path(settings.CHECKPOINTS_DIR) / f"users/{corpus.owner_id}/.{number}.attempt-1"
    left.mkdir(parents=True)
    (left / "context.json").write_text('["my private post"]')
    return job, left


def test_with_an_account_goes_what_a_killed_attempt_has_left(admin: User, corpus: Corpus) -> None:
    _, left = interrupted(corpus)
    # As an attempt leaves it whose job was deleted by an earlier version.
    older = left.with_name(f".{uuid.uuid4()}.attempt-3")
    older.mkdir()
    accounts.delete_account(corpus.owner)
    assert not left.exists() and not older.exists()


def test_a_bot_that_became_the_base_model_keeps_its_files_without_its_owner(
    admin: User, corpus: Corpus, base: TrainedModel
) -> None:
    bot, other = make_bot(corpus, base, name="Bot"), make_bot(corpus, base, name="Other")
    bases.promote(bot, by=admin)
    accounts.delete_account(corpus.owner)
    bot.refresh_from_db()
    assert bot.is_base and loading.load(bot).sha256 == bot.sha256
    assert not files.path_of(other).exists()


@pytest.mark.parametrize("way", ["cancel", "delete"])
def test_with_a_job_goes_what_a_killed_attempt_has_left(corpus: Corpus, way: str) -> None:
    job, left = interrupted(corpus)
    other = left.with_name(f".{uuid.uuid4()}.attempt-1")
    other.mkdir()
    if way == "cancel":
        jobs.cancel(job)
    else:
        jobs.delete_jobs(Job.objects.filter(pk=job.pk), with_subject=True)
    assert not left.exists() and other.exists()


def test_with_a_bot_goes_what_it_wrote_on_the_front_page(model: TrainedModel) -> None:
    demo_posts.remember(model, ["a post of the bot"])
    assert demo_posts.of(model) == ["a post of the bot"]
    registry.delete(model)
    assert demo_posts.of(model) == []
