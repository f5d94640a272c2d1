"""Instant bots: a fluent base that writes with some of the person's posts in its context. It learns nothing.

It's a model like any other, whose adapter is the base's and whose folder also holds the posts of its context.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from botfactory.accounts import limits
from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.errors import JobFailed
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.kinds import JobKind
from botfactory.jobs.models import Job
from botfactory.words.translatable import Sentence, mark
from models_app.bots import files, guards, loading, naming, registry, versions
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.errors import LearningError
from models_app.ml.networks.llama.store import LIBRARY
from models_app.ml.sampling.context import fitting, within
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.training.topics import topics_of
from models_app.training import planning
from tweets.corpora import idle, learning
from tweets.corpora.errors import OptedOut
from tweets.models import Corpus

INSTANT_BOT: Final = "instant_bot"
#: `TrainedModel.training["kind"]` of an instant bot.
KIND_OF_TRAINING: Final = "instant"


def make(*, owner: User, corpus: Corpus, name: str = "") -> Job:
    """Queue the making of an instant bot on these posts, which takes seconds.

    Raises TierNotOffered where nobody can have fluent bots, CorpusError, BadName, LimitReached.
    """
    planning.require_offered(Tier.FLUENT)
    with transaction.atomic():
        corpus = idle.lock_ready(corpus)
        learning.require_enough(corpus)
        name = naming.valid_name(name) if name.strip() else corpus.name
        return jobs.submit(
            owner=owner,
            kind=INSTANT_BOT,
            title=Sentence(mark("Make the instant bot %(name)s"), name=name),
            arguments={"corpus": str(corpus.pk), "name": name},
            subject_id=corpus.pk,
        )


def chosen(corpus: Corpus) -> list[str]:
    """Return the posts for the context, oldest first: the newest that bots learn from, as many as fit in."""
    return fitting(learning.newest_training_posts(corpus))


def run_instant_bot(handle: JobHandle) -> dict[str, Any]:
    """Register an instant bot; return its id and name."""
    done = TrainedModel.objects.filter(job=handle.job).first()
    if done is not None:
        # An earlier attempt registered it already.
        return {"model": str(done.pk), "name": done.name}
    arguments = handle.job.arguments
    corpus = idle.wait_until_ready(Corpus(pk=arguments["corpus"]))
    try:
        base = versions.base_model(Tier.FLUENT)
        posts, weights = learning.training_posts(corpus), loading.load(base)
        context = within(chosen(corpus), LIBRARY.get(base.network["pretrained"]).vocabulary)
        guard = CopyGuard.of(posts, beside=guards.guard_of(base))
    except (LearningError, versions.NoBaseModel) as error:
        raise JobFailed(error.code, error) from error
    model_id = uuid.uuid5(handle.job.pk, "model")
    training = {"kind": KIND_OF_TRAINING, "context_posts": len(context)}
    meta = {
        "name": arguments["name"],
        "model": str(model_id),
        "started_from": {"name": base.full_name, "sha256": base.sha256},
        "training": training,
    }
    try:
        model = registry.register(
            job=handle.job,
            name=arguments["name"],
            corpus=corpus,
            parent=base,
            parent_name=base.full_name,
            trained=Checkpoint(network=weights.network, weights=weights.weights, meta=meta, sha256=""),
            guard=guard,
            meta=meta,
            fenced=handle.fenced,
            context=context,
            values={
                "training": training,
                "topics": topics_of(posts, weights.network),
                "posts": len(posts),
                "characters": sum(map(len, posts)),
            },
        )
    except OptedOut as error:
        raise JobFailed(error.code, error) from error
    return {"model": str(model.pk), "name": model.name}


def needs(job: Job) -> dict[str, int]:
    """Return how much of its owner's limits an instant bot uses."""
    try:
        base = versions.base_model(Tier.FLUENT)
    except versions.NoBaseModel:
        return {"models": 1}  # the job itself reports what's missing
    # It has the same adapter as its base.
    return {"models": 1, "stored_mb": max(1, limits.megabytes(base.stored_bytes))}


def is_instant(model: TrainedModel) -> bool:
    return bool(model.training.get("kind") == KIND_OF_TRAINING)


KIND: Final = JobKind(
    name=INSTANT_BOT,
    label=_("Instant bot"),
    template="models_app/instant_job.html",
    subject="corpus",
    run=run_instant_bot,
    may_start=planning.require_posts,
    left_by=files.left_by,
    needs=needs,
    to_take_less=_("Train a quick bot instead."),
)
