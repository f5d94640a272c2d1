"""A trainer that was presumed dead writes nothing when it returns: no model, report card or base model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from botfactory.accounts.models import User
from botfactory.jobs import reaper
from botfactory.jobs.models import Job, JobEvent
from models_app.bots.rows import TrainedModel
from models_app.training import planning, report_cards
from tests.lost_claims import files_under, overtaken, rows_of
from tests.models_app.bases.base_jobs import ask, server, small_network
from tweets.models import Corpus

pytestmark = pytest.mark.differs

__all__ = ["server", "small_network"]


def kept() -> tuple[Any, Any]:
    """Return all rows and files that trainings write."""
    # The folder of an ended job may reappear for a moment; the reaper removes it.
    reaper.reap()
    folders = Path(django_settings.CHECKPOINTS_DIR), Path(django_settings.JOBS_DIR)
    return rows_of(Job, JobEvent, TrainedModel, Corpus), files_under(*folders)


def test_a_training_that_was_overtaken_writes_nothing(
    alice: User, corpus: Corpus, base: TrainedModel, settings: Any
) -> None:
    job = planning.fine_tune(owner=alice, corpus=corpus, start=base, epochs=1, seed=5, name="Bot")
    with overtaken(job, "models_app.bots.files.in_place", settings):
        model = TrainedModel.objects.get(owner=alice)
        # What a person did with it since then must not be undone.
        TrainedModel.objects.filter(pk=model.pk).update(name="Mine", report={"mark": 1}, history=[])
        before = kept()
    assert kept() == before


def test_a_report_card_that_was_overtaken_writes_nothing(alice: User, model: TrainedModel, settings: Any) -> None:
    job = report_cards.remake(model, by=alice)
    with overtaken(job, "botfactory.jobs.handle.JobHandle.fenced", settings):
        TrainedModel.objects.filter(pk=model.pk).update(report={"mark": 1})
        before = kept()
    assert kept() == before


@pytest.mark.parametrize("target", ["models_app.ml.training.pretrain.save_state", "models_app.bots.files.in_place"])
def test_a_training_of_the_base_model_that_was_overtaken_writes_nothing(
    admin: User, server: Path, small_network: None, settings: Any, target: str
) -> None:
    job = ask(admin)
    with overtaken(job, target, settings):
        TrainedModel.objects.filter(job=job).update(name="mine", history=[])
        before = kept()
    assert kept() == before
