"""The job that makes a report card: again, or because its training gave way."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from botfactory.jobs.errors import ComeBackLater, JobFailed
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.kinds import JobKind
from models_app.bots import guards, loading, versions
from models_app.bots.errors import ModelError
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.errors import LearningError, mark
from models_app.ml.evaluation import report_card as cards
from models_app.ml.training import dataset
from models_app.training import estimates, report_cards
from tweets.corpora import idle

#: The reason shown when a report card goes back to waiting.
AWAITED: Final = mark("Paused while people’s bots are trained.")


def run_report_card(handle: JobHandle) -> dict[str, Any]:
    """Remake the model's report card; return its bits per character before and after."""
    model = TrainedModel.objects.filter(pk=handle.job.arguments["model"]).first()
    if model is None:
        raise JobFailed("model_deleted", mark("The model was deleted."))
    handle.progress({"phase": "reporting", "fraction": 0.0})
    before = model.report.get("bits_per_character")
    after = assess(handle, model)
    return {"model": str(model.pk), "name": model.full_name, "before": before, "after": after}


def proceed(handle: JobHandle) -> None:
    """Return if a report card may go on. Raises JobCancelled, and ComeBackLater if somebody waits for the worker.

    It then begins anew: it takes a minute or two, and hardly anything else of it could be kept.
    """
    handle.check()
    if handle.should_yield():
        raise ComeBackLater(timezone.now(), AWAITED)


def assess(handle: JobHandle, model: TrainedModel) -> float:
    """Make the model's report card; return its bits per character.

    Raises JobFailed if its posts are no longer known or its files can't be read, and like `proceed`.
    """
    if model.corpus is not None:
        idle.wait_until_ready(model.corpus)
    between = partial(proceed, handle)
    try:
        posts = report_cards.learned_posts(model)
        seed = model.training["seed"]
        learned, held_out = dataset.split(posts, validation_share=estimates.VALIDATION_SHARE, seed=seed)
        base = versions.base_model(Tier(model.tier))
        start = model.parent or base
        started_from = loading.load(start)
        # Reuse the object: report_card measures each distinct checkpoint once.
        weights = started_from if start == base else loading.load(base)
        bot = loading.load(model)
        card = cards.report_card(
            bot=bot,
            start=started_from,
            base=weights,
            others=report_cards.base_samples_of(base, weights, between),
            learned=learned,
            held_out=held_out,
            start_guard=guards.guard_of(start),
            measure=report_cards.measure_of(bot.network),
            between=between,
        )
    except (LearningError, ModelError, versions.NoBaseModel) as error:
        raise JobFailed(error.code, error) from error
    assert model.corpus is not None
    report = report_cards.as_json(card, model.corpus, learned, held_out)
    report_cards.keep(model, report, handle.fenced)
    return float(report["bits_per_character"])


KIND: Final = JobKind(
    name=report_cards.REPORT_CARD,
    queue="train",
    label=_("Report card"),
    template="models_app/report_job.html",
    subject="corpus",
    run=run_report_card,
    may_start=report_cards.may_start,
    preemptible=True,
    counts=False,
)
