"""Counts and deletes the models that learned from corpora or accounts, and their descendants, with their jobs."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db.models import Q, QuerySet

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from models_app.bots import ancestry, registry
from models_app.bots.rows import TrainedModel
from models_app.writing.rows import Generation
from tweets.corpora.made_from import WhoseAccount


def models_of(corpora: Sequence[uuid.UUID], account: WhoseAccount | None = None) -> list[TrainedModel]:
    """Return the models that learned from the corpora or the account, and all their descendants, newest first."""
    found = list(TrainedModel.objects.filter(corpus__in=corpora))
    return ancestry.with_descendants([*found, *(ancestry.of_account(*account) if account else ())])


def count(corpora: Sequence[uuid.UUID], account: WhoseAccount | None = None) -> dict[str, int]:
    """Return the number of models and of generations that `delete` would delete."""
    models = models_of(corpora, account)
    return {"bots": len(models), "outputs": Generation.objects.filter(model__in=models).count()}


def delete(corpora: Sequence[uuid.UUID], account: WhoseAccount | None = None, by: User | None = None) -> dict[str, int]:
    """Delete the models with their files, their jobs and everything that they wrote, even a current base model."""
    counts = count(corpora, account)
    # Jobs first: a running training must not leave a model behind.
    jobs.delete_jobs(_jobs_of(models_of(corpora, account)))
    for model in models_of(corpora, account):
        if model.is_base:
            TrainedModel.objects.filter(pk=model.pk).update(is_base=False)
            model.is_base = False
        registry.delete(model, by=by)
    return counts


def _jobs_of(models: Sequence[TrainedModel]) -> QuerySet[Job]:
    """Return the jobs that made the models, and those that start from them: their events have posts of the models."""
    numbers = [model.pk for model in models]
    starts = Q(arguments__start__in=[str(number) for number in numbers]) | Q(lane__search__start__in=numbers)
    return Job.objects.filter(starts | Q(trained_model__in=numbers))


def end_sharing(corpora: Sequence[uuid.UUID], by: User | None) -> None:
    """Make the models private that learned from the corpora, which are about to be deleted."""
    ancestry.end_sharing(models_of(corpora), by=by)
