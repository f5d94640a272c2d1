from __future__ import annotations

import json
import logging
import uuid
from dataclasses import asdict
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from botfactory.accounts.models import User
from botfactory.rest.errors import ApiError, expected
from botfactory.rest.rate_limit import require_pace
from botfactory.web.disconnect import require_client
from botfactory.web.listing import CARDS_ON_A_PAGE, ListForm, Listing
from botfactory.web.missing import missing_is_404
from botfactory.words.translation import translated
from models_app import downloads
from models_app.bots import guards, naming, registry
from models_app.bots.errors import ModelError
from models_app.bots.rows import TrainedModel
from models_app.downloads.in_browser import files as browser_files
from models_app.downloads.in_browser import services as in_browser
from models_app.ml.errors import LearningError
from models_app.pages import bot_list, showing
from models_app.pages.forms import BotsForm, RenameForm, ShareForm
from models_app.sharing import access, lineage, tags
from models_app.sharing import rights as sharing
from models_app.sharing.access import model_or_404
from models_app.sharing.links import link_to
from models_app.training import report_cards, surprises
from models_app.writing import asking, first_posts, generations, live, nearest, topics
from models_app.writing.admission import NotNow
from models_app.writing.comparing import services as comparing
from models_app.writing.form import GenerateForm
from models_app.writing.keeping import reports
from models_app.writing.keeping import services as keeping
from models_app.writing.keeping.views import page_for
from models_app.writing.playing.services import ToldApart, could_have_game
from models_app.writing.rows import Generation

logger = logging.getLogger(__name__)


@login_required
@require_GET
def model_list(request: HttpRequest) -> HttpResponse:
    """List the person's bots."""
    form = BotsForm(request.GET)
    own = access.models_for_user(request.user)
    filters = {name: form.asked(name) for name in ("tier", "visibility", "state", "sort")}
    listing = Listing(bot_list.find(own, request.user, words=form.asked("q"), **filters), form, size=CARDS_ON_A_PAGE)
    context = {"form": form, "listing": listing, "models": showing.with_last_posts(listing.rows)}
    return render(request, "models_app/list.html", context, status=listing.status)


@login_required
@require_GET
def model_page(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """Show a bot: the form that makes it write, its report card, curve, numbers and sharing."""
    return _page_of(request, model_or_404(request, model_id))


def _page_of(
    request: HttpRequest,
    model: TrainedModel,
    *,
    share_form: ShareForm | None = None,
    rename_form: RenameForm | None = None,
) -> HttpResponse:
    """Return the page of a bot, with status 400 for a form that was refused."""
    person = cast(User, request.user)
    generation = model.generations.filter(owner=person).annotate(has_kept=keeping.has_kept(person, model)).first()
    texts = report_cards.card_posts_for_user(request.user, model)
    context = {
        "model": model,
        "is_own": model.owner_id == request.user.pk,
        "may_loosen": sharing.Right.LOOSEN in sharing.rights_of(request.user, model),
        "share_form": share_form or ShareForm(model=model),
        "shared_at": request.build_absolute_uri(model.get_shared_url()) if model.get_shared_url() else "",
        "is_shared": sharing.is_shared(model),
        "is_being_assessed": report_cards.follows(model),
        "form": GenerateForm(),
        "key": str(model.pk),
        **asking_context(model, generation, person),
        "copies": _copies(model, texts),
        "surprises": surprises.shown(model, texts),
        "lineage": lineage.lineage_of(request.user, model),
        "rename_form": rename_form or RenameForm(initial={"name": model.name}),
        "generation": generation,
        "people": ToldApart.of(model),
        "publishable": keeping.publishable(person, model) if generation is not None and generation.has_kept else "",
        "has_game": could_have_game(model),
        "reports": reports.open_reports(model)[:20] if model.owner_id == request.user.pk else [],
        "downloads": downloads.formats_of(model),
        "can_be_carried": browser_files.can_be_carried(model),
    }
    return render(request, "models_app/model.html", context, status=400 if share_form or rename_form else 200)


def asking_context(model: TrainedModel, generation: Generation | None, person: User | None) -> dict[str, Any]:
    """Return what a page needs to let somebody ask the bot for posts.

    These are whether posts can be checked for copies and what to say if they no longer can, suggestions for the
    beginning and the topic of a post, the bot's three temperatures, the columns if the last posts are side by side, and
    whether the page lets the bot write when it opens. If it doesn't, a writer loads the bot meanwhile. person: None if
    they may not let it write.
    """
    guard = guards.state_of(model)
    is_able = guard is not guards.State.LOST
    writes_on_opening = is_able and generation is None and person is not None and asking.is_free()
    if is_able and person is not None and not writes_on_opening:
        asking.expect(model, person)
    return {
        "can_guard": guard in (guards.State.KEPT, guards.State.TO_BE_MADE),
        "guard_lost": "" if is_able else translated(guards.GuardLost(model)),
        "openings": sharing.openings_of(model),
        "topics": topics.usual_topics_for_user(person, model),
        "columns": comparing.beside(generation),
        "three": comparing.three_of(model),
        "writes_on_opening": writes_on_opening,
    }


def _copies(model: TrainedModel, texts: dict[int, str]) -> list[dict[str, Any]]:
    """Return the copies of the report card, each with the learned post if `texts` has it."""
    return [
        {**copied, "text": texts.get(copied["post"]), "percent": round(100 * copied["share"])}
        for copied in model.report.get("copies", [])
    ]


@login_required
@require_POST
def generate(request: HttpRequest, model_id: uuid.UUID) -> HttpResponseBase:
    """Write posts and show them as they are written; without JavaScript, show the whole page afterwards."""
    model = model_or_404(request, model_id)
    return written(request, model, back=model.get_absolute_url())


def written(request: HttpRequest, model: TrainedModel, *, back: str) -> HttpResponseBase:
    """Write the posts that the form asks for, or show what's wrong with it. `back`: the address of the model's page."""
    form = GenerateForm(request.POST)
    owner = cast(User, request.user)
    generation, status = None, 400
    headers: dict[str, str] = {}
    try:
        require_pace(owner)
        if form.is_valid() and live.is_asked_for(request, live.NDJSON):
            return _stream(request, model, form)
        if form.is_valid():
            generation = asking.generate(
                model=model, owner=owner, sampling=form.sampling(), proceed=require_client(request)
            )
            status = 200
    except (LearningError, ModelError, ValueError) as error:
        form.add_error(None, translated(error))
    except ApiError as error:
        form.add_error(None, translated(error))
        status, headers = error.status, error.headers
    except NotNow as error:
        form.add_error(None, translated(error))
        status, headers = 503, {"Retry-After": str(error.retry_after)}
    if generation is not None and not getattr(request, "htmx", False):
        return redirect(back)
    context = {"model": model, "form": form, "generation": generation, "back": back}
    answer = expected(render(request, "models_app/generation.html", context, status=status))
    for name, value in headers.items():
        answer.headers[name] = value
    return answer


def _stream(request: HttpRequest, model: TrainedModel, form: GenerateForm) -> StreamingHttpResponse:
    """Each post as it is written, then the part of the page that `written` shows."""

    def part(generation: Generation | None = None) -> str:
        context = {"model": model, "form": form, "generation": generation}
        return json.dumps({"html": render_to_string("models_app/_generation.html", context, request)})

    def trouble(error: Exception) -> str:
        if not isinstance(error, (LearningError, ModelError, NotNow)):
            logger.error("posts of %s (%s) can't be written", model, model.pk, exc_info=error)
            error = NotNow(_("That didn’t work. Try again, or reload the page."))
        form.add_error(None, translated(error))
        return json.dumps({"error": json.loads(part())})

    words = live.Words(post=lambda told: json.dumps(asdict(told)), generation=part, error=trouble)
    sampling = generations.settled(form.sampling(), model)
    owner = cast(User, request.user)
    return live.response(request, live.NDJSON, words, model=model, owner=owner, sampling=sampling, beginnings=True)


@login_required
@require_GET
def why(request: HttpRequest, generation_id: uuid.UUID) -> HttpResponse:
    """Show the learned post that is closest to a written one, which `post` names by its place, from 0."""
    try:
        generation = generations.generation_for_user(request.user, generation_id)
        number = int(request.GET.get("post", "0"))
        post = dict(enumerate(generation.posts))[number]
    except (Generation.DoesNotExist, KeyError, ValueError):
        raise Http404("There is no such post.") from None
    model = generation.model
    # The posts stay theirs when sharing ends, but what the model learned is no longer theirs to compare with.
    if sharing.Right.WRITE not in sharing.rights_of(request.user, model, link=link_to(request, model)):
        raise Http404("There is no such post.")
    context: dict[str, Any] = {"model": model, "posts": [post], "is_own": model.owner_id == request.user.pk}
    try:
        context["why"] = nearest.why(request.user, generation, number)
    except LearningError as error:
        context["trouble"] = translated(error)
    return render(request, "models_app/why.html", context)


@login_required
@require_POST
def delete_generation(request: HttpRequest, generation_id: uuid.UUID) -> HttpResponse:
    """Delete posts that a model, also somebody else's, wrote for the person."""
    try:
        generation = generations.generation_for_user(request.user, generation_id)
    except Generation.DoesNotExist:
        raise Http404("There are no such posts.") from None
    generations.delete_generation(generation)
    messages.success(request, _("The posts were deleted."))
    others = generations.generations_for_user(request.user).filter(model=generation.model_id)
    if "page" in request.GET and others.exists():
        # It was in the list of everything that the model wrote.
        query = ListForm(request.GET).address()
        return redirect(reverse("written", args=[generation.model_id]) + (f"?{query}" if query else ""))
    return redirect(page_for(request, generation.model))


@login_required
@require_POST
@missing_is_404(TrainedModel.DoesNotExist)
def share_model(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """Set who can find the model or, with `renew`, give it a new link."""
    model = model_or_404(request, model_id, to_change=True)
    back = f"{model.get_absolute_url()}#sharing"
    if "renew" in request.POST:
        try:
            sharing.renew_link(model)
            messages.success(request, _("The bot has a new link. The old one no longer works."))
        except sharing.SharingError as error:
            messages.warning(request, translated(error))
        return redirect(back)
    form = ShareForm(request.POST, model=model)
    if form.is_valid():
        try:
            with transaction.atomic():
                sharing.share(model, form.cleaned_data["visibility"])
                if "tags" in request.POST:
                    tags.set_tags(model, tags.in_text(form.cleaned_data["tags"]))
                    in_browser.set_open(model, form.takes_along, by=cast(User, request.user))
            first_posts.write_missing(model)
            messages.success(request, form.outcome(model.name))
            return redirect(back)
        except sharing.SharingError as error:
            form.add_error(error.param, translated(error))
    # The object has changed, but not its row.
    return _page_of(request, model_or_404(request, model_id), share_form=form)


@login_required
@require_POST
@missing_is_404(TrainedModel.DoesNotExist)
def rename_model(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    model = model_or_404(request, model_id, to_change=True)
    form = RenameForm(request.POST)
    if form.is_valid():
        try:
            registry.rename(model, form.cleaned_data["name"])
            return redirect(f"{model.get_absolute_url()}#rename")
        except naming.NameTaken as error:
            form.add_error("name", translated(error))
    return _page_of(request, model, rename_form=form)


@login_required
@require_POST
def delete_model(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    model = model_or_404(request, model_id, to_change=True)
    name = model.name
    registry.delete(model)
    messages.success(request, _("%(name)s was deleted, with its files and everything it wrote.") % {"name": name})
    return redirect("dashboard")
