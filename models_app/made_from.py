"""Counts and deletes the models that learned from corpora, and the models that started from those."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from models_app import registry
from models_app.models import Generation, TrainedModel


def models_of(corpora: Sequence[uuid.UUID]) -> list[TrainedModel]:
    """Return the models that learned from one of the corpora, and all their descendants, newest first."""
    found: dict[uuid.UUID, TrainedModel] = {}
    generation = list(TrainedModel.objects.filter(corpus__in=corpora))
    while generation:
        found.update((model.pk, model) for model in generation)
        children = TrainedModel.objects.filter(parent__in=[model.pk for model in generation])
        generation = [model for model in children if model.pk not in found]
    return sorted(found.values(), key=lambda model: model.created_at, reverse=True)


def count(corpora: Sequence[uuid.UUID]) -> dict[str, int]:
    """Return the number of models and of generations that `delete` would delete."""
    models = models_of(corpora)
    return {"bots": len(models), "outputs": Generation.objects.filter(model__in=models).count()}


def delete(corpora: Sequence[uuid.UUID]) -> dict[str, int]:
    """Delete the models with their files and everything that they wrote, even a current base model."""
    counts = count(corpora)
    for model in models_of(corpora):
        if model.is_base:
            TrainedModel.objects.filter(pk=model.pk).update(is_base=False)
            model.is_base = False
        registry.delete(model)
    return counts
