"""The page of a corpus: what came in, and the form that trains a bot on the posts."""

from __future__ import annotations

import uuid
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.rest.rate_limit import paced
from botfactory.words.translation import translated
from models_app.bots import naming
from models_app.bots.errors import ModelError
from models_app.bots.rows import Tier
from models_app.training import instant, language_advice, machines, planning, starting_points, tiers
from models_app.training.form import Course, TrainForm
from models_app.training.rows import TrainingMachine
from tweets.corpora import examples, idle, summary
from tweets.corpora.errors import CorpusError
from tweets.corpora.services import last_import
from tweets.models import Corpus
from tweets.pages.forms import RulesForm
from tweets.pages.views import corpus_or_404


@login_required
@require_http_methods(["GET", "POST"])
@paced("POST")
def corpus_page(request: HttpRequest, corpus_id: uuid.UUID) -> HttpResponse:
    """Show what came in, and the form that trains a bot on the posts."""
    corpus = corpus_or_404(request, corpus_id)
    known = machines.known()
    starts = starting_points.starts_for_user(cast(User, request.user), known)
    trouble = "" if starts.offer.trouble is None else translated(starts.offer.trouble)
    bases, own = ([] if trouble else starts.offer.bases), starts.own_starts
    posted = request.method == "POST"
    advice = language_advice.advice_for(corpus, bases)
    start = request.GET.get("start") or next(
        (str(base.pk) for base in bases if advice and base.tier == advice.tier), ""
    )
    form = TrainForm(request.POST if posted else None, bases=bases, own=own, initial={"start": start})
    if posted and form.is_valid():
        try:
            job = planning.fine_tune(
                owner=cast(User, request.user),
                corpus=corpus,
                start=form.chosen_start(),
                name=form.cleaned_data["name"],
                seed=form.cleaned_data["seed"],
                settings=form.settings(),
                **form.extent(),
            )
            return redirect(job)
        except (ModelError, naming.NameTaken, CorpusError, LimitReached) as error:
            form.add_error(None, translated(error))
    return render(
        request,
        "models_app/corpus.html",
        {**_corpus_context(corpus, form, starts, known, trouble), "advice": advice},
        status=400 if form.is_bound else 200,
    )


@login_required
@require_POST
def instant_bot(request: HttpRequest, corpus_id: uuid.UUID) -> HttpResponse:
    """Make an instant bot of the posts."""
    corpus = corpus_or_404(request, corpus_id)
    try:
        return redirect(instant.make(owner=cast(User, request.user), corpus=corpus))
    except (ModelError, naming.NameTaken, CorpusError, LimitReached) as error:
        messages.error(request, translated(error))
    return redirect("corpus", corpus.pk)


def _corpus_context(
    corpus: Corpus, form: TrainForm, starts: starting_points.Starts, known: list[TrainingMachine], trouble: str
) -> dict[str, Any]:
    networks = {Tier(base.tier): base.network for base in starts.offer.bases}
    paces = machines.paces({tier: networks.get(tier) for tier in Tier}, known)
    courses = {tier: Course.of(corpus, tier, paces[tier], networks.get(tier)) for tier in Tier}
    picked, shown = form.picked, examples.shown(corpus)
    return {
        "corpus": corpus,
        "report": summary.report(corpus, texts=shown.sample),
        "rules_form": RulesForm.of(corpus.cleaning_rules),
        "drops": shown.drops,
        "changes": shown.changes,
        "form": form,
        "trouble": trouble,
        "jobs": Job.objects.filter(subject_id=corpus.pk)[:10],
        # Shown until the posts are there.
        "last_import": None if corpus.is_ready else last_import(corpus),
        "busy_job": None if corpus.is_ready else idle.busy_jobs(corpus).first(),
        "models": [model for model in starts.own if model.corpus_id == corpus.pk][:20],
        "ahead": planning.ahead_of_new(corpus.owner),
        "picked": picked,
        "choices": [(base, courses[Tier(base.tier)]) for base in form.bases],
        "why_not_fluent": starts.offer.why_not_fluent,
        "fluent_memory": _fluent_memory(form),
        "course": courses[Tier.QUICK if picked is None else Tier(picked.tier)],
        "fluent": courses[Tier.FLUENT],
        "quick": courses[Tier.QUICK],
        "courses": {tier.value: course.for_script for tier, course in courses.items()},
    }


def _fluent_memory(form: TrainForm) -> str:
    """Return the gigabytes of memory that a fluent training needs, or "" where none is offered."""
    fluent = next((base for base in form.bases if base.tier == Tier.FLUENT), None)
    return "" if fluent is None else tiers.gigabytes(tiers.needed_memory(fluent))
