"""Report cards: queues a job that remakes one, caches the base samples that all of them share, and stores cards."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.words.translatable import Sentence, mark
from botfactory.words.translation import translated
from models_app.bots import files
from models_app.bots.errors import BadRequest, ModelError
from models_app.bots.files import Fence
from models_app.bots.rows import TrainedModel
from models_app.ml import checkpoint
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.evaluation import report_card as cards
from models_app.ml.evaluation.report_card import BaseSamples, ReportCard
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.registry import Network
from tweets.corpora import idle, learning
from tweets.corpora.errors import CorpusError
from tweets.models import Corpus

REPORT_CARD: Final = "report_card"
#: The file beside a base model's weights with its posts for report cards.
BASE_SAMPLES: Final = "strangers.json"


def remake(model: TrainedModel, *, by: User) -> Job:
    """Queue a job of `by` that remakes the report card of `model`, and lock its posts until the job ends.

    Raises BadRequest if the posts it learned are no longer known, and CorpusBusy while they're being cleaned.
    """
    with transaction.atomic():
        corpus = None if model.corpus is None else idle.lock_ready(model.corpus)
        learned_posts(model)
        return jobs.submit(
            owner=by,
            kind=REPORT_CARD,
            title=Sentence(mark("Report card of %(name)s"), name=model.full_name),
            arguments={"model": str(model.pk)},
            subject_id=None if corpus is None else corpus.pk,
        )


def jobs_of(model: TrainedModel) -> QuerySet[Job]:
    """Return the unfinished jobs that make the report card of `model`, except its training."""
    return jobs.active_jobs(Job.objects.filter(kind=REPORT_CARD, arguments__model=str(model.pk)))


def follows(model: TrainedModel) -> bool:
    """Return whether `model` gets its first report card soon: from its training, or from a job of its own."""
    is_reporting = model.job is not None and model.job.state == State.RUNNING
    return not model.report and (is_reporting or jobs_of(model).exists())


def may_start(job: Job) -> None:
    """Raise NotPossible unless the posts are still as the model learned them. JobKind calls this before a retry."""
    model = TrainedModel.objects.filter(pk=job.arguments["model"]).select_related("corpus").first()
    try:
        if model is not None and model.corpus is not None:
            idle.lock_ready(model.corpus)
            learned_posts(model)
    except (CorpusError, ModelError) as error:
        raise NotPossible(translated(error)) from error


def learned_posts(model: TrainedModel) -> list[str]:
    """Return the model's training and validation posts in order. Raises BadRequest if they have changed.

    In a different order, the split would count learned posts as held out.
    """
    if model.owner_id is None:
        raise BadRequest(_("Versions of the base model have no report card. Compare them instead."))
    if model.corpus is None:
        raise BadRequest(_("The posts that it learned from are deleted, so it keeps its report card."))
    posts = learning.training_posts(model.corpus)
    if (len(posts), sum(map(len, posts))) != (model.posts, model.characters) or "seed" not in model.training:
        raise BadRequest(
            _(
                "Its posts have changed since the training, so we don’t know which ones were held out. It keeps its "
                "report card."
            )
        )
    return posts


def keep(model: TrainedModel, report: dict[str, Any], fenced: Fence) -> None:
    """Keep the report card. Does nothing if the model was deleted.

    `fenced` opens the transaction (JobHandle.fenced).
    """
    with fenced():
        TrainedModel.objects.filter(pk=model.pk).update(report=report)


def base_samples_of(base: TrainedModel, weights: Checkpoint, between: Callable[[], None]) -> BaseSamples:
    """Return the posts of `base` for report cards, cached beside its weights.

    Replaces a file that is damaged or belongs to other weights or rules. `between` as in `base_samples`.
    """
    path = files.path_of(base) / BASE_SAMPLES
    rules = {"sha256": base.sha256, **cards.rules_of_base_samples(weights)}
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["rules"] == rules:
            return BaseSamples(tuple(map(str, kept["unseen"])), tuple(map(str, kept["learned"])))
    made = cards.base_samples(weights, between)
    text = json.dumps({"rules": rules, "unseen": made.unseen, "learned": made.learned})
    # A full disk must not prevent the report card.
    with suppress(OSError):
        staged = path.with_name(f".{path.name}.{os.getpid()}")
        checkpoint.write_durably(staged, text.encode())
        staged.replace(path)
    return made


def measure_of(network: Network) -> cards.Measure:
    """Return the fastest way to measure bits per character of such a network in a training process."""
    if not isinstance(network, LlamaConfig):
        return cards.evaluated
    # Imported late: only the training process may load TensorFlow.
    from models_app.ml.training.adapters.measuring import bits_per_character

    return bits_per_character


def as_json(card: ReportCard, corpus: Corpus, learned: list[str], held_out: list[str]) -> dict[str, Any]:
    """Return the report card as stored with a model: copies and surprises refer to a post by its key, without its text.

    So a post that is deleted or cleaned again is gone from the card, too.
    """
    report = card.as_dict()
    keys = dict(corpus.posts.filter(dropped="").order_by("-pk").values_list("cleaned", "pk"))
    for copied in report["copies"]:
        copied["post"] = None if copied["post"] is None else keys.get(learned[copied["post"]])
    for surprise in report["surprise"]:
        surprise["post"] = keys.get(held_out[surprise["post"]])
    return report


def card_posts_for_user(user: Any, model: TrainedModel) -> dict[int, str]:
    """Return the posts of the report card by key, learned ones that it copied and held-out ones. Only for the owner."""
    keys = [post["post"] for name in ("copies", "surprise") for post in model.report.get(name, [])]
    if model.owner_id is None or model.owner_id != user.pk or model.corpus is None or not any(keys):
        return {}
    return dict(model.corpus.posts.filter(pk__in=filter(None, keys)).values_list("pk", "cleaned"))
