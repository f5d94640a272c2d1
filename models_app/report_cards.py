"""Report cards: one made anew as a job, of a model whose posts are as it learned them, and what all have in common."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from django.db import transaction

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.models import Job
from models_app import registry, services
from models_app.ml import checkpoint
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.evaluation import report_card as cards
from models_app.ml.evaluation.report_card import BaseSamples
from models_app.models import TrainedModel
from tweets import idle
from tweets import services as corpora
from tweets.errors import CorpusError

REPORT_CARD: Final = "report_card"
#: Beside the weights of a base model: what it writes for report cards.
BASE_SAMPLES: Final = "strangers.json"


def remake(model: TrainedModel, *, by: User) -> Job:
    """A job of `by` is queued that measures `model` again. BadRequest where nobody knows any more what it learned.

    CorpusBusy while its posts are being cleaned; from now on they stay as they are until the job ends.
    """
    with transaction.atomic():
        corpus = None if model.corpus is None else idle.lock_ready(model.corpus)
        learned_posts(model)
        return jobs.submit(
            owner=by,
            kind=REPORT_CARD,
            title=f"Report card of {model.full_name}",
            arguments={"model": str(model.pk)},
            subject_id=None if corpus is None else corpus.pk,
        )


def may_start(job: Job) -> None:
    """A report card that is tried again finds the posts as the model learned them. For JobKind."""
    model = TrainedModel.objects.filter(pk=job.arguments["model"]).select_related("corpus").first()
    try:
        if model is not None and model.corpus is not None:
            idle.lock_ready(model.corpus)
            learned_posts(model)
    except (CorpusError, services.ModelError) as error:
        raise NotPossible(str(error)) from error


def learned_posts(model: TrainedModel) -> list[str]:
    """The posts that the model learned and was checked on, in their order; BadRequest where they have changed.

    Split by another order, posts that were learned would be taken for held-out ones.
    """
    if model.owner_id is None:
        raise services.BadRequest("This is a version of the base model: evaluate it side by side with others.")
    if model.corpus is None:
        raise services.BadRequest("The posts that it learned from are gone: it keeps the report card that it has.")
    posts = corpora.training_posts(model.corpus)
    if (len(posts), sum(map(len, posts))) != (model.posts, model.characters) or "seed" not in model.training:
        raise services.BadRequest(
            "Its posts have changed since it learned them, so nobody knows which were held out: it keeps the report "
            "card that it has."
        )
    return posts


def base_samples_of(base: TrainedModel, weights: Checkpoint, between: Callable[[], None]) -> BaseSamples:
    """What `base` writes for report cards: written for the first of them, and kept beside its weights for all others.

    A file that is damaged, or of other weights or rules, is written anew. `between` as in `base_samples`.
    """
    path = registry.path_of(base) / BASE_SAMPLES
    rules = {"sha256": base.sha256, **cards.rules_of_base_samples()}
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["rules"] == rules:
            return BaseSamples(tuple(map(str, kept["unseen"])), tuple(map(str, kept["learned"])))
    made = cards.base_samples(weights, between)
    text = json.dumps({"rules": rules, "unseen": made.unseen, "learned": made.learned})
    # Without room on the disk the card is made all the same.
    with suppress(OSError):
        staged = path.with_name(f".{path.name}.{os.getpid()}")
        checkpoint.write_durably(staged, text.encode())
        staged.replace(path)
    return made
