"""Let models write, and find, keep and delete what they wrote."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from botfactory.files.chunks import batches
from botfactory.rest import idempotency
from models_app.bots import guards, loading
from models_app.bots.errors import GuardKept, UnknownModel
from models_app.bots.house_bans import house_bans
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.ml.sampling import sampler
from models_app.ml.sampling.outcome import Writing
from models_app.sharing.access import model_for_user
from models_app.sharing.rights import Right, rights_of
from models_app.training.language_advice import foreign_to
from models_app.writing.rows import Generation
from tweets.cleaning import personal
from tweets.cleaning.rules import Links


def generations_for_user(user: Any) -> QuerySet[Generation]:
    """Return what models wrote for this person. Nobody else sees it."""
    if not (user.is_authenticated and user.is_active):
        return Generation.objects.none()
    return Generation.objects.filter(owner=user).select_related("model__corpus")


def generation_for_user(user: Any, generation_id: uuid.UUID) -> Generation:
    """Return the generation. Raises Generation.DoesNotExist unless it is the person's."""
    return generations_for_user(user).get(pk=generation_id)


def writer_for_user(user: Any, model_id: uuid.UUID) -> TrainedModel:
    """Return the model if it's theirs, a base model, or has written for them: those posts stay theirs.

    Raises TrainedModel.DoesNotExist otherwise.
    """
    generation = generations_for_user(user).filter(model=model_id).first()
    return generation.model if generation else model_for_user(user, model_id)


def delete_generation(generation: Generation) -> None:
    """Delete what a model wrote for a person. Posts of it that they kept stay."""
    with transaction.atomic():
        idempotency.forget(generation.pk)
        generation.delete()


def delete_generations(owner: User, model: uuid.UUID) -> int:
    """Delete everything that the model wrote for this person and return the number of posts. Kept posts stay."""
    rows = Generation.objects.filter(owner=owner, model=model)
    with transaction.atomic():
        written = {pk: len(posts) for pk, posts in rows.values_list("pk", "posts").iterator()}
        idempotency.forget(*written)
        for some in batches(written):
            rows.filter(pk__in=some).delete()
    return sum(written.values())


def generate(*, model: TrainedModel, owner: User, sampling: SamplingConfig) -> Generation:
    """Let `model` write posts in this process, and keep them with what was refused on the way.

    For commands; web processes ask a writer (writing/asking.py). Raises GuardKept where `owner` can't let it write
    unguarded, BadSampling.
    """
    require_guards(owner, model, sampling)
    sampling = settled(sampling, model)
    writing, seconds = write(model, sampling)
    return keep(model, owner, sampling, writing, seconds)


def keep(model: TrainedModel, owner: User, sampling: SamplingConfig, writing: Writing, seconds: float) -> Generation:
    """Keep what `model` has written for `owner`. Raises UnknownModel."""
    with transaction.atomic():
        require_there(model)
        generation = Generation.objects.create(
            model=model,
            owner=owner,
            sampling=sampling.as_dict(),
            posts=writing.posts,
            refused=writing.refused.as_dict(),
            seconds=seconds,
        )
    generation.measured = writing.measured
    return generation


def require_there(model: TrainedModel) -> None:
    """Keep the model from being deleted until the transaction ends. Raises UnknownModel if it has been."""
    rows = TrainedModel.objects.select_for_update(no_key=True).filter(pk=model.pk)
    if rows.values_list("pk").first() is None:
        raise UnknownModel(_("This bot has just been deleted."))


def require_possible(model: TrainedModel, sampling: SamplingConfig) -> None:
    """Check the settings before any work is done. Raises BadSampling."""
    sampler.check(sampling, model.network["kind"], house_bans())


def require_guards(user: User, model: TrainedModel, sampling: SamplingConfig) -> None:
    """Raise GuardKept if `sampling` turns off a protection that the person can't turn off for this model."""
    if Right.LOOSEN not in rights_of(user, model):
        for name in ("copy_guard", "mask_mentions", "personal_guard"):
            if not getattr(sampling, name):
                raise GuardKept(name)


def settled(sampling: SamplingConfig, model: TrainedModel) -> SamplingConfig:
    """Return `sampling` with all that `model` needs to repeat the posts: a seed, and what is usual for it."""
    if sampling.link_guard is None and _learned_links(model):
        sampling = replace(sampling, link_guard=False)
    return seeded(sampling).usual_for(model.network["kind"])


def _learned_links(model: TrainedModel) -> bool:
    return model.corpus is not None and model.corpus.cleaning_rules.links is Links.KEEP


def seeded(sampling: SamplingConfig) -> SamplingConfig:
    """Return `sampling` with a seed, a random one if it had none, so that the posts can be repeated."""
    return replace(sampling, seed=secrets.randbelow(2**31)) if sampling.seed is None else sampling


def write(model: TrainedModel, sampling: SamplingConfig) -> tuple[Writing, float]:
    """Return posts by `model`, written in this process, and the seconds that it took."""
    started = time.perf_counter()
    guard = guards.guard_of(model) if sampling.copy_guard else None
    writing = loading.sampler_of(model).generate(
        sampling, guard=guard, house=house_bans(), personal=personal.adds, is_foreign=foreign_to(model.corpus)
    )
    return writing, time.perf_counter() - started
