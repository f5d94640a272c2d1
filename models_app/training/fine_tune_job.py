"""The fine-tune job: trains a model on the posts of a corpus and registers it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from botfactory.jobs.errors import FROM_OUTSIDE, ComeBackLater, JobCancelled, JobFailed, LostClaim
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.kinds import JobKind, KeepsTheBest
from models_app.bots import epochs, files, guards, loading, registry, versions
from models_app.bots.house_bans import house_bans
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import traits_of
from models_app.ml.errors import Cancelled, LearningError, mark
from models_app.ml.evaluation import report_card as cards
from models_app.ml.networks.registry import Network, products_per_symbol, small_network
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.training import dataset
from models_app.ml.training.adapters.config import AdapterConfig
from models_app.ml.training.events import FineTuneResult, Openings
from models_app.ml.training.machine_speed import characters_per_symbol
from models_app.ml.training.topics import topics_of
from models_app.training import estimates, machines, planning, report_card_job, report_cards, tiers
from models_app.training.openings import openings_of
from models_app.training.reporter import TrainingReporter, epoch_json
from tweets.cleaning import personal
from tweets.corpora import idle, learning
from tweets.corpora.errors import OptedOut
from tweets.models import Corpus

SAMPLES_PER_EPOCH = 4
#: Each opening costs a fluent model about a second at each point of its training.
OPENINGS = {Tier.QUICK: 3, Tier.FLUENT: 2}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """A fine-tune job with everything it starts from.

    `posts` are split into `train` and `validation`; `start_guard` knows the posts that `start` and its parents learned
    from, and `guard` also knows `posts`.
    """

    handle: JobHandle
    corpus: Corpus
    start: TrainedModel
    start_checkpoint: Checkpoint
    config: planning.Config
    posts: list[str]
    train: list[str]
    validation: list[str]
    start_guard: CopyGuard | None
    guard: CopyGuard


def load() -> None:
    """Load TensorFlow and what trains."""
    # Imported late: only the training process and the one that forks it may load TensorFlow.
    from models_app.ml.training import fine_tuning, prebuilt, pretrain, trainer  # noqa: F401
    from models_app.ml.training.adapters import learner  # noqa: F401


def prepare() -> None:
    """Build graphs and write the base samples for report cards, so that no training waits for them.

    A training that begins meanwhile has the cores for itself.
    """
    # Imported late, as in `load`.
    from models_app.ml.training import prebuilt

    with suppress(versions.NoBaseModel):
        base = versions.base_model()
        checkpoint = loading.load(base)
        if settings.TRAINER_BUILDS_AHEAD:
            measured = prebuilt.prepare(checkpoint)
            if measured is not None:
                machines.note(
                    measured,
                    characters_per_symbol=characters_per_symbol(checkpoint.meta),
                    products_per_symbol=products_per_symbol(small_network(checkpoint.network)),
                )
        with suppress(prebuilt.Begun):
            report_cards.base_samples_of(base, checkpoint, prebuilt.give_way)
    if Tier.FLUENT in tiers.offered():
        try:
            # Only the weights. A base that isn't adapted to posts may take very long to write its samples, and nobody
            # could cancel that here; the first report card writes them, and its training can be cancelled.
            loading.load(versions.base_model(Tier.FLUENT))
        except LearningError as error:
            logger.warning("fluent trainings can't be prepared: %s", error)


def run_fine_tune(handle: JobHandle) -> dict[str, Any]:
    """Train and register a model, then make its report card; return its id and name.

    The model can write once it's registered, so nobody waits for the report card. The job gives way to others then.
    """
    done = TrainedModel.objects.filter(job=handle.job).first()
    if done is not None:
        _assess_again(handle, done)
        return {"model": str(done.pk), "name": done.name}
    handle.progress({"phase": "starting", "fraction": 0.0})
    arguments = handle.job.arguments
    corpus = idle.wait_until_ready(Corpus(pk=arguments["corpus"]))
    start = TrainedModel.objects.filter(pk=arguments["start"]).first()
    if start is None:
        raise JobFailed("model_deleted", mark("The model to start from was deleted."))
    try:
        run = _prepared(handle, corpus, start)
        result = _train(run)
    except Cancelled as cancelled:
        raise JobCancelled from cancelled
    except LearningError as error:
        raise JobFailed(error.code, error) from error
    handle.progress({**handle.job.progress, "phase": "saving", "fraction": 1.0, "seconds_left": 0})
    try:
        model = _register(run, result)
    except OptedOut as error:
        raise JobFailed(error.code, error) from error
    with _bot_exists(handle, model):
        report_cards.keep(model, _report(run, result), handle.fenced)
    return {"model": str(model.pk), "name": model.name}


def _prepared(handle: JobHandle, corpus: Corpus, start: TrainedModel) -> Run:
    arguments = handle.job.arguments
    checkpoint = loading.load(start)
    posts = learning.training_posts(corpus)
    train, validation = dataset.split(posts, validation_share=estimates.VALIDATION_SHARE, seed=arguments["seed"])
    config = _config(arguments, train, checkpoint.network)
    # The model could also copy posts that its parents learned from.
    start_guard = guards.guard_of(start)
    return Run(
        handle=handle,
        corpus=corpus,
        start=start,
        start_checkpoint=checkpoint,
        config=config,
        posts=posts,
        train=train,
        validation=validation,
        start_guard=start_guard,
        guard=CopyGuard.of(posts, beside=start_guard),
    )


def _config(arguments: dict[str, Any], train: list[str], network: Network) -> planning.Config:
    """Return the settings chosen when the job was queued; for jobs of earlier versions, choose them now."""
    if "chosen" in arguments:
        return planning.config_from(arguments["chosen"])
    return planning.training_config(
        sum(map(len, train)),
        arguments["epochs"],
        arguments["seed"],
        arguments.get("settings", {}),
        **traits_of(network.as_dict()),
    )


def _train(run: Run) -> FineTuneResult:
    handle, guard = run.handle, run.guard
    reporter = TrainingReporter(handle, epochs.unit_of(run.config.as_dict()))
    train = run.train
    # Imported late: only the training process may load TensorFlow.
    if isinstance(run.config, AdapterConfig):
        from models_app.ml.training.adapters import trainer as adapters

        train = oldest_first(run.corpus, run.train)
        fine_tune = partial(
            adapters.fine_tune,
            config=run.config,
            on_before=reporter.before,
            on_saved=reporter.saved,
            start_guard=run.start_guard,
        )
    else:
        from models_app.ml.training import trainer

        fine_tune = partial(trainer.fine_tune, config=run.config)
    return fine_tune(
        start=run.start_checkpoint,
        train=train,
        validation=run.validation,
        work_dir=handle.work_dir,
        on_progress=reporter.progress,
        on_epoch=reporter.epoch,
        control=handle.control,
        sample_count=SAMPLES_PER_EPOCH,
        sample_filter=lambda post: (
            not guard.is_copy(post) and house_bans().finds(post) is None and not personal.adds(post)
        ),
        on_start=reporter.start,
        openings=Openings(openings_of(run.train, run.validation, OPENINGS[Tier(run.start.tier)]), reporter.openings),
    )


def _report(run: Run, result: FineTuneResult) -> dict[str, Any]:
    """Return the report card of the trained model. If it fails, return an empty one rather than lose the model."""
    between = partial(report_card_job.proceed, run.handle)
    try:
        base = versions.base_model(Tier(run.start.tier))
        weights = run.start_checkpoint if base == run.start else loading.load(base)
        card = cards.report_card(
            bot=result.checkpoint,
            start=run.start_checkpoint,
            base=weights,
            others=report_cards.base_samples_of(base, weights, between),
            learned=run.train,
            held_out=run.validation,
            start_guard=run.start_guard,
            trained_bits=(result.bits_per_character, result.start_bits_per_character),
            trained_on=result.measured_posts,
            measure=report_cards.measure_of(result.network),
            between=between,
        )
        return report_cards.as_json(card, run.corpus, run.train, run.validation)
    except (ComeBackLater, JobCancelled, *FROM_OUTSIDE):
        raise
    except Exception:
        logger.exception("job %s: the report card failed", run.handle.job.pk)
        return {}


def _assess_again(handle: JobHandle, model: TrainedModel) -> None:
    """Make the report card, unless an earlier attempt has made it or left it to another job."""
    if model.report or report_cards.jobs_of(model).exists():
        return
    with _bot_exists(handle, model):
        report_card_job.assess(handle, model)


@contextmanager
def _bot_exists(handle: JobHandle, model: TrainedModel) -> Iterator[None]:
    """Make the report card without failing the training, because a bot can do without one.

    It's cancelled, takes longer than a job may, or something goes wrong, which is logged. If somebody waits for the
    worker, the training ends, and a job that gives way to others makes the card.
    """
    handle.progress({**handle.job.progress, "phase": "reporting", "seconds_left": None, "model": str(model.pk)})
    handle.give_way()
    try:
        try:
            yield
        except ComeBackLater:
            with handle.fenced():
                report_cards.remake(model, by=handle.job.owner)
    except (JobCancelled, SoftTimeLimitExceeded):
        logger.info("job %s: its bot has no report card", handle.job.pk)
    except LostClaim:
        raise
    except Exception:
        logger.exception("job %s: the report card failed", handle.job.pk)


def oldest_first(corpus: Corpus, posts: Sequence[str]) -> list[str]:
    """Return posts of the corpus, oldest first: a fluent training that can't read all in its time reads the newest.

    A split has them in the order of the corpus, which the split and the report card depend on.
    """
    age = {post: number for number, post in enumerate(learning.oldest_training_posts(corpus))}
    return sorted(posts, key=lambda post: age.get(post, -1))


def _register(run: Run, result: FineTuneResult) -> TrainedModel:
    handle, start, config = run.handle, run.start, run.config
    history = [epoch_json(epoch) for epoch in result.history]
    # The events go with the job, which may be deleted.
    history[0]["before"] = epochs.openings_before(handle.job)
    bits = round(result.bits_per_character, 5)
    meta = {
        "name": handle.job.arguments["name"],
        "model": str(uuid.uuid5(handle.job.pk, "model")),
        "started_from": {"name": start.full_name, "sha256": start.sha256},
        "training": config.as_dict(),
        "kept_epoch": result.kept_epoch,
        "interpolation": result.interpolation,
        "bits_per_character": bits,
    }
    return registry.register(
        job=handle.job,
        name=handle.job.arguments["name"],
        corpus=run.corpus,
        parent=start,
        parent_name=start.full_name,
        trained=replace(result.checkpoint, meta=meta),
        guard=run.guard,
        meta=meta,
        fenced=handle.fenced,
        values={
            "training": config.as_dict(),
            "history": history,
            "kept_epoch": result.kept_epoch,
            "interpolation": result.interpolation,
            "samples": list(result.samples),
            "topics": topics_of(run.posts, result.network),
            "bits_per_character": bits,
            "posts": len(run.posts),
            "characters": sum(map(len, run.posts)),
            "seconds": result.seconds,
            "characters_per_second": result.characters_per_second,
        },
    )


KIND: Final = JobKind(
    name=planning.FINE_TUNE,
    queue="train",
    label=_("Training"),
    template="models_app/training.html",
    subject="corpus",
    run=run_fine_tune,
    left_by=files.left_by,
    may_start=planning.may_start,
    needs=planning.needs,
    details=planning.details,
    describe=epochs.FINE_TUNE,
    meter=planning.TRAINING_MINUTES,
    done=_("The training has ended, and the bot can write."),
    keeps_the_best=KeepsTheBest(
        question=_("Cancel this training?"),
        loses=_(
            "You won’t get a bot. Most of what it has learned is kept for %(hours)s hours; “Try again” continues from "
            "there. To get a bot from what it has learned so far, choose “Stop and keep the best”."
        ),
        go_on=_("Keep training"),
        cancel=_("Cancel the training"),
    ),
    to_take_less=_("Choose less time, fewer epochs or fewer posts."),
    kept=_("Most of what it has learned is kept. “Try again” continues from there."),
    load=load,
    prepare=prepare,
)
