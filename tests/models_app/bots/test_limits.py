"""What bots and trainings count against the limits of their owner."""

from __future__ import annotations

from typing import Any

import pytest

from botfactory.accounts import limits
from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from models_app.bots import files as model_files
from models_app.bots import registry
from models_app.bots.rows import TrainedModel
from models_app.training import estimates, planning
from tests.accounts.test_limits import all_at_once, refusals
from tests.conftest import signed_in
from tweets.models import Corpus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def test_trainings_submitted_at_once_become_no_more_bots_than_allowed(
    corpus: Corpus, base: TrainedModel, settings: Any
) -> None:
    settings.LIMIT_MODELS = 2
    came = all_at_once(lambda: planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base), times=8)
    assert refusals(came) == 6
    with pytest.raises(LimitReached, match="including those in training"):
        planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base)
    jobs.cancel(Job.objects.filter(kind=planning.FINE_TUNE)[0])
    planning.fine_tune(owner=corpus.owner, corpus=corpus, start=base)


def test_a_bot_counts_with_its_files_until_it_is_deleted(model: TrainedModel) -> None:
    assert model.owner is not None
    usage = limits.usage_of(model.owner)
    files = sum(path.stat().st_size for path in model_files.path_of(model).iterdir())
    assert (usage.models, model.stored_bytes) == (1, files) and files > 0
    # One for the posts, one for the bot: each is counted in whole megabytes.
    assert usage.stored_mb == 2
    registry.delete(model)
    usage = limits.usage_of(model.owner)
    assert (usage.models, usage.stored_mb) == (0, 1)


def test_a_training_longer_than_what_is_left_of_the_day_is_refused_with_what_it_takes(
    alice: User, corpus: Corpus, base: TrainedModel, settings: Any
) -> None:
    settings.LIMIT_TRAINING_MINUTES = 1
    estimate = estimates.estimate(corpus.characters).seconds(10)
    assert estimate < 60
    planning.fine_tune(owner=alice, corpus=corpus, start=base, epochs=10)
    assert limits.usage_of(alice).training_minutes_a_day == 1
    page = signed_in(alice).post(f"/corpora/{corpus.pk}/", {"start": str(base.pk), "epochs": "1"})
    assert page.status_code == 400
    assert "You can train for at most 1 minute a day (UTC)." in page.content.decode()


def test_the_base_model_is_nobodys_and_counts_for_nobody(alice: User, base: TrainedModel) -> None:
    assert base.stored_bytes > 0
    usage = limits.usage_of(alice)
    assert (usage.models, usage.stored_mb) == (0, 0)
