"""The pages of searches. Strangers get 404; searches for base models are for administrators."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import cast

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from botfactory.accounts.limits import LimitReached
from botfactory.accounts.models import User
from botfactory.jobs.errors import JobError
from botfactory.rest.rate_limit import paced
from botfactory.web.durations import lasting
from botfactory.web.missing import missing_is_404
from botfactory.words.translation import translated
from models_app.bases import services as bases
from models_app.bots import versions
from models_app.bots.errors import ModelError
from models_app.bots.naming import NameTaken
from models_app.bots.rows import Tier, TrainedModel
from models_app.search import bots, pictures
from models_app.search import services as searches
from models_app.search import space as spaces
from models_app.search.forms import BaseSearchForm, MoreTrialsForm, SearchForm, UseForm
from models_app.search.how import DEFAULT_TRIALS
from models_app.search.outlook import outlook_of, with_trials
from models_app.search.rows import Search
from models_app.search.table import Table, as_csv
from models_app.training import estimates, machines, planning, starting_points
from tweets.corpora.errors import CorpusError
from tweets.models import Corpus
from tweets.pages.views import corpus_or_404

#: Searches that the page for a new one lists.
EARLIER = 20
#: What a service says to the person.
SAID = (ModelError, bases.BaseError, NameTaken, CorpusError, LimitReached, JobError)


def search_or_404(request: HttpRequest, search_id: uuid.UUID, *, to_change: bool = False) -> Search:
    """Return the search with its trials if the person may see it or, with `to_change`, change it. Raises Http404."""
    with missing_is_404(Search.DoesNotExist):
        search = with_trials(searches.searches_for_user(request.user)).get(pk=search_id)
    if to_change and not searches.may_change(request.user, search):
        raise Http404("There is no such search.")
    return search


@login_required
@require_safe
def search_page(request: HttpRequest, search_id: uuid.UUID) -> HttpResponse:
    """Show a search: where it is, its trials as a table and in pictures. The page asks again while it runs."""
    search = search_or_404(request, search_id)
    return _page(request, search)


@login_required
@require_safe
def trials_csv(request: HttpRequest, search_id: uuid.UUID) -> HttpResponse:
    """Send all trials as CSV."""
    search = search_or_404(request, search_id)
    answer = HttpResponse(as_csv(search, list(search.trials.all())), content_type="text/csv; charset=utf-8")
    name = slugify(search.name) or "search"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}-trials.csv"'
    return answer


@login_required
@require_POST
@paced("POST")
@missing_is_404(Search.DoesNotExist)
def change_search(request: HttpRequest, search_id: uuid.UUID, action: str) -> HttpResponse:
    """Stop or resume a search, or delete it."""
    search, user = search_or_404(request, search_id, to_change=True), cast(User, request.user)
    if action == "delete":
        searches.delete(search)
        messages.success(request, _("The search is deleted. Bots that were made from it stay."))
        return redirect("base_search") if search.owner_id is None else redirect("start_search", search.corpus_id)
    try:
        if action == "stop":
            searches.stop(search)
        else:
            searches.resume(search, by=user)
    except SAID as error:
        messages.warning(request, translated(error))
    return redirect("search", search.pk)


@login_required
@require_POST
@paced("POST")
@missing_is_404(Search.DoesNotExist)
def add_trials(request: HttpRequest, search_id: uuid.UUID) -> HttpResponse:
    """Want more trials."""
    search = search_or_404(request, search_id, to_change=True)
    form = MoreTrialsForm(request.POST)
    if form.is_valid():
        try:
            searches.add_trials(search, form.cleaned_data["trials"], by=cast(User, request.user))
            return redirect("search", search.pk)
        except SAID as error:
            form.add_error(None, translated(error))
    return _page(request, search, more=form)


@login_required
@require_POST
@paced("POST")
def use_trial(request: HttpRequest, search_id: uuid.UUID) -> HttpResponse:
    """Train a bot or a base model with the settings of a trial."""
    search = search_or_404(request, search_id, to_change=True)
    form = UseForm(request.POST, search=search)
    if form.is_valid():
        data = form.cleaned_data
        try:
            by = cast(User, request.user)
            return redirect(searches.use(search, data["trial"], by=by, name=data["name"], budget=form.budget))
        except SAID as error:
            form.add_error(None, translated(error))
    return _page(request, search, use=form)


@login_required
@require_POST
@paced("POST")
def make_recipe(request: HttpRequest, search_id: uuid.UUID) -> HttpResponse:
    """Make the settings of a trial the recipe of its tier. For administrators."""
    search, user = search_or_404(request, search_id, to_change=True), cast(User, request.user)
    if not bases.may_choose(user):
        raise PermissionDenied
    form = UseForm(request.POST, search=search)
    if form.is_valid():
        try:
            recipe = searches.make_recipe(search, form.cleaned_data["trial"], by=user)
        except SAID as error:
            form.add_error(None, translated(error))
        else:
            message = _("New trainings of this kind begin with the settings of trial %(number)s.")
            messages.success(request, message % {"number": recipe.trial})
            return redirect("base_models")
    return _page(request, search, use=form)


@login_required
@require_http_methods(["GET", "POST"])
@paced("POST")
def start_search(request: HttpRequest, corpus_id: uuid.UUID) -> HttpResponse:
    """Begin a search for the best settings of a bot that learns these posts."""
    corpus, user = corpus_or_404(request, corpus_id), cast(User, request.user)
    starts = starting_points.starts_for_user(user)
    known = [] if starts.offer.trouble else [*starts.offer.bases, *starts.own_starts]
    form = SearchForm(request.POST if request.method == "POST" else None, starts=known)
    if form.is_valid():
        try:
            return redirect("search", searches.start_for_bot(owner=user, corpus=corpus, **form.asked()).pk)
        except spaces.BadSpace as error:
            form.add_error("space", translated(error))
        except SAID as error:
            form.add_error(None, translated(error))
    earlier = with_trials(searches.searches_for_user(user).filter(corpus=corpus, owner=user))
    context = {
        "corpus": corpus,
        "form": form,
        "trouble": "" if starts.offer.trouble is None else translated(starts.offer.trouble),
        "usual": [
            (tier.label, (spaces.SHIPPED / f"{bots.USUAL[tier]}.toml").read_text(encoding="utf-8"))
            for tier in dict.fromkeys(Tier(model.tier) for model in known)
        ],
        "takes": _takes(corpus, starts.offer.bases),
        "earlier": [(search, outlook_of(search)) for search in earlier[:EARLIER]],
    }
    return render(request, "models_app/new_search.html", context, status=400 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
def start_base_search(request: HttpRequest) -> HttpResponse:
    """Begin a search for a base model, and list those that there are. For administrators."""
    if not bases.may_add(request.user):
        raise PermissionDenied
    user = cast(User, request.user)
    versions.base_models(tuple(Tier))
    form = BaseSearchForm(request.POST if request.method == "POST" else None, user=user)
    if form.is_valid():
        try:
            return redirect("search", searches.start_for_base(by=user, **form.asked()).pk)
        except spaces.BadSpace as error:
            form.add_error("space", translated(error))
        except SAID as error:
            form.add_error(None, translated(error))
    earlier = with_trials(searches.searches_for_user(user).filter(owner=None))[:EARLIER]
    context = {
        **admin.site.each_context(request),
        "title": _("Find the best base model"),
        "form": form,
        "verb": _("Start the search"),
        "parts": form.parts(),
        "directory": settings.TRAINING_DIR,
        "earlier": [(search, outlook_of(search)) for search in earlier],
    }
    status = 400 if form.is_bound else 200
    return TemplateResponse(request, "admin/models_app/bases/search.html", context, status=status)


def _page(
    request: HttpRequest, search: Search, *, more: MoreTrialsForm | None = None, use: UseForm | None = None
) -> HttpResponse:
    trials, outlook = list(search.trials.all()), outlook_of(search)
    table = Table.of(search, trials, request.GET.get("sort", ""), has_all=request.GET.get("all") == "1")
    refused = next((form for form in (more, use) if form is not None), None)
    highest = max(search.importance.values(), default=1.0) or 1.0
    context = {
        "search": search,
        "outlook": outlook,
        "table": table,
        "left": "" if outlook.seconds_left is None else lasting(outlook.seconds_left),
        "space": list(spaces.lines(search.space)),
        "importance": [
            (name, round(100 * value), round(value / highest, 3))
            for name, value in sorted(search.importance.items(), key=lambda pair: -pair[1])
        ],
        "history": pictures.history(trials),
        "cost": pictures.cost(search, trials),
        "parallel": pictures.parallel(search, trials),
        "may_make_recipe": search.kind == Search.Kind.BOT and bases.may_choose(request.user),
        "may_change": searches.may_change(request.user, search),
        "more": more or MoreTrialsForm(),
        "use": use or UseForm(search=search),
        "form": refused,
    }
    return render(request, "models_app/search.html", context, status=200 if refused is None else 400)


def _takes(corpus: Corpus, offered: Sequence[TrainedModel]) -> str:
    """Return about how long a search with the usual number of trials takes for the first base offered; "" if none."""
    if not offered or not corpus.characters:
        return ""
    tier, network = Tier(offered[0].tier), offered[0].network
    reading = planning.usual_reading(corpus, tier, network=network)
    seconds = estimates.seconds_of(corpus.characters, tier, reading, pace=machines.pace(tier, network))
    return lasting(60 * round(seconds * DEFAULT_TRIALS / 60)) if seconds > 3 else ""
