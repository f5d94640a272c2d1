"""The page where a bot's owner decides what it posts, when and where."""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import asdict
from typing import Any, Final, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from botfactory.accounts.models import User
from botfactory.rest.errors import ApiError
from botfactory.rest.rate_limit import paced, require_pace
from botfactory.web.disconnect import require_client
from botfactory.web.listing import ListForm, Listing
from botfactory.web.missing import missing_is_404
from botfactory.words.translation import grouped, translated
from models_app.bots.errors import ModelError
from models_app.bots.rows import TrainedModel
from models_app.ml.config import LONGEST_TOPIC
from models_app.ml.errors import LearningError
from models_app.ml.evaluation.taste import Taste
from models_app.writing import generations, live
from models_app.writing.admission import NotNow
from models_app.writing.rows import Generation
from publishing.models import Account, Proposal, Publication, Queue
from publishing.networks.registry import network_of
from publishing.pages import showing
from publishing.pages.forms import ApproveForm, ConnectForm, MoveForm, SettingsForm
from publishing.queue import connecting, consent, services, stopping
from publishing.rules import apps, judging, stops, taste
from publishing.rules.errors import PublishingError

logger = logging.getLogger(__name__)

#: What can be wrong with a decision. Each has a sentence for the person.
REFUSALS = (PublishingError, judging.NotAllowed, LearningError)
#: In the session: the account whose secret hasn't been shown yet.
_NEW_SECRET: Final = "new_secret_of_account"
#: What can be wrong with letting a bot write.
WRITING = (*REFUSALS, ModelError, ValueError)


@login_required
@require_GET
@missing_is_404(TrainedModel.DoesNotExist)
def queue_page(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """Show what the bot proposes, what waits, what was posted and what didn't go out."""
    return _page(request, services.publishable_for_user(request.user, model_id))


def _page(
    request: HttpRequest,
    model: TrainedModel,
    *,
    form: SettingsForm | None = None,
    refused: Proposal | None = None,
    why: Exception | None = None,
    typed: str = "",
    status: int = 200,
) -> HttpResponse:
    """Return the page. `refused`: a proposal whose decision wasn't possible, and `why`; `typed`: the text for it."""
    queue = services.queue_of(model)
    liked = taste.taste_of(queue)
    found = ListForm(request.GET)
    listing = Listing(showing.posted(queue), found)
    places = showing.places_of(queue)
    feed = next((place.account for place in places if place.network.name == "feed" and place.account), None)
    context: dict[str, Any] = {
        "model": model,
        "queue": queue,
        "label": showing.label(queue),
        "places": places,
        "accounts": [place.account for place in places if place.account],
        "feed": {
            kind: request.build_absolute_uri(reverse(f"feed_{kind}", args=[feed.link]))
            for kind in ("rss", "atom", "json")
        }
        if feed is not None and feed.link
        else {},
        "proposals": showing.proposed(queue, places),
        "learned": taste.sentence(liked),
        "rejected": showing.rejected(queue),
        "reasons": Proposal.Reason.choices,
        "waiting": (waiting := showing.waiting(queue)),
        "week": showing.week(queue, waiting, request.GET.get("week", "")),
        "is_stopped_for_all": stops.is_stopped_for_all(queue),
        "troubled": showing.troubled(queue),
        "listing": listing,
        "longest": showing.longest(queue),
        "written": _count_of(queue, liked),
        "form": form or SettingsForm(instance=queue),
        "refused": refused,
        "why": translated(why) if why is not None else "",
        "is_duplicate": getattr(why, "code", "") == "duplicate",
        "typed": typed,
    }
    return render(request, "publishing/queue.html", context, status=status)


def _count_of(queue: Queue, liked: Taste | None) -> int:
    """Return how many posts the bot writes when it's asked for proposals."""
    try:
        return services.written_for(queue, services.AT_ONCE, liked)
    except PublishingError:
        return 0


@login_required
@require_POST
@missing_is_404(TrainedModel.DoesNotExist)
def write_proposals(request: HttpRequest, model_id: uuid.UUID) -> HttpResponseBase:
    """Let the bot write posts, and propose those that are new. A script gets each post as it's written."""
    model = services.publishable_for_user(request.user, model_id)
    owner = cast(User, request.user)
    services.begin(model, zone=request.POST.get("zone", ""))
    about = request.POST.get("about", "")[:LONGEST_TOPIC]
    is_streamed = live.is_asked_for(request, live.NDJSON)
    try:
        require_pace(owner)
        if is_streamed:
            return _stream(request, model, about)
        made = services.propose(model=model, owner=owner, about=about, proceed=require_client(request))
    except (*WRITING, NotNow, ApiError) as error:
        if is_streamed:
            return render(request, "publishing/_refused.html", {"why": translated(error)})
        add = messages.warning if isinstance(error, NotNow) else messages.error
        add(request, translated(error))
    else:
        said = ngettext("%(n)s new proposal.", "%(n)s new proposals.", len(made))
        messages.success(request, said % {"n": grouped(len(made))})
    return redirect(_address(model))


def _stream(request: HttpRequest, model: TrainedModel, about: str) -> StreamingHttpResponse:
    """Each post as it is written, then the proposals as parts of the page."""

    def part(generation: Generation) -> str:
        made = services.accept(model, generation, count=services.AT_ONCE)
        queue = services.queue_of(model)
        all_of_them = showing.proposed(queue, showing.places_of(queue))
        context = {
            "model": model,
            "queue": queue,
            "label": showing.label(queue),
            "longest": showing.longest(queue),
            "reasons": Proposal.Reason.choices,
            "proposals": [each for each in enumerate(all_of_them, 1) if each[1].proposal in made],
        }
        return json.dumps({"html": render_to_string("publishing/_written.html", context, request)})

    def trouble(error: Exception) -> str:
        if not isinstance(error, (*WRITING, NotNow)):
            logger.error("%s (%s) can't propose posts", model, model.pk, exc_info=error)
            error = NotNow(_("That didn’t work. Try again, or reload the page."))
        context = {"why": translated(error)}
        return json.dumps({"error": {"html": render_to_string("publishing/_refused.html", context, request)}})

    words = live.Words(post=lambda told: json.dumps(asdict(told)), generation=part, error=trouble)
    sampling = generations.settled(services.sampling_of(model, count=services.AT_ONCE, about=about), model)
    owner = cast(User, request.user)
    return live.response(request, live.NDJSON, words, model=model, owner=owner, sampling=sampling, beginnings=True)


@login_required
@require_POST
@missing_is_404(TrainedModel.DoesNotExist)
def change_settings(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """Change when the posts go out, and their label."""
    model = services.publishable_for_user(request.user, model_id)
    form = SettingsForm(request.POST, instance=services.queue_of(model))
    if form.is_valid():
        try:
            services.change(model, form.cleaned_data)
        except PublishingError as error:
            form.add_error(error.param if error.param in form.fields else None, translated(error))
        else:
            messages.success(request, _("Saved. Waiting posts have their new times."))
            return redirect(f"{_address(model)}#when")
    return _page(request, model, form=form, status=400)


@login_required
@require_POST
@missing_is_404(TrainedModel.DoesNotExist)
def stop(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """Send nothing any more or, with `stop=no`, go on."""
    model = services.publishable_for_user(request.user, model_id)
    if request.POST.get("stop") == "no":
        services.go_on(model)
        messages.success(request, _("The bot posts again. What waited has new times, so nothing is made up at once."))
    else:
        services.stop(model)
        messages.success(request, _("Stopped. Nothing is sent until you let the bot post again."))
    return redirect(_address(model))


@login_required
@require_POST
@missing_is_404(TrainedModel.DoesNotExist)
def stop_all(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """Stop all bots of the person or, with `stop=no`, let them go on. The bot is the one whose page it was."""
    model = services.publishable_for_user(request.user, model_id)
    owner = cast(User, request.user)
    if request.POST.get("stop") == "no":
        stopping.go_on_all(owner)
        messages.success(request, _("Your bots post again. What waited has new times."))
    else:
        stopping.stop_all(owner)
        messages.success(request, _("All your bots are stopped. Nothing is sent until you let them post again."))
    return redirect(_address(model))


@login_required
@require_POST
@missing_is_404(TrainedModel.DoesNotExist)
def recall_all(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """Stop the bot and delete all its posts where they were published."""
    model = services.publishable_for_user(request.user, model_id)
    count = services.recall_all(model)
    said = ngettext("Stopped. %(n)s post is being deleted.", "Stopped. %(n)s posts are being deleted.", count)
    messages.success(request, said % {"n": grouped(count)})
    return redirect(f"{_address(model)}#posted")


@login_required
@require_POST
@missing_is_404(TrainedModel.DoesNotExist)
def open_feed(request: HttpRequest, model_id: uuid.UUID) -> HttpResponse:
    """Open a feed of what the bot publishes from now on."""
    model = services.publishable_for_user(request.user, model_id)
    services.begin(model, zone=request.POST.get("zone", ""))
    connecting.connect(model, connecting.FEED, {})
    messages.success(request, _("The feed is open. Whoever has its address can read it."))
    return redirect(f"{_address(model)}#where")


@sensitive_post_parameters()
@login_required
@never_cache
@require_http_methods(["GET", "POST"])
@paced("POST")
@missing_is_404(TrainedModel.DoesNotExist)
def connect(request: HttpRequest, model_id: uuid.UUID, network: str) -> HttpResponse:
    """Connect an account of a network, for the first time or again."""
    model = services.publishable_for_user(request.user, model_id)
    kind = network_of(network)
    if not apps.is_offered(kind):
        raise Http404("The operator hasn't set the keys for this network.")
    before = Account.objects.filter(queue__model=model, network=network).first()
    initial = {"server": before.server, "identifier": before.handle} if before else {}
    form = ConnectForm(request.POST if request.method == "POST" else None, network=kind, initial=initial)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            services.begin(model, zone=request.POST.get("zone", ""))
            entered, marks = form.entered, form.cleaned_data.get("marks", True)
            try:
                if kind.consent is not None:
                    return _ask(request, model, network, entered, marks=marks)
                account = connecting.connect(model, network, entered, marks=marks)
            except PublishingError as error:
                form.add_error(error.param if error.param in form.fields else None, translated(error))
            else:
                messages.success(request, _("%(handle)s is connected.") % {"handle": account.handle})
                if kind.secret:
                    # Redirect: reloading a page with the secret would make another one.
                    request.session[_NEW_SECRET] = str(account.pk)
                    return redirect(request.path)
                return redirect(f"{_address(model)}#where")
    # The values of secret fields aren't sent back.
    context = {"model": model, "network": kind, "label": _(kind.label), "form": form}
    context["new_secret"] = _new_secret(request, model, network) if kind.secret and request.method == "GET" else ""
    context["is_new"] = services.queue_of(model).is_new
    return render(request, "publishing/connect.html", context, status=status)


def _ask(
    request: HttpRequest, model: TrainedModel, network: str, entered: dict[str, str], *, marks: bool
) -> HttpResponse:
    """Send the person to the network's own page, where they allow us to post."""
    begun = consent.begin(
        request.session,
        owner=cast(User, request.user).pk,
        model=model,
        network=network,
        entered=entered,
        marks=marks,
        callback_of=lambda place: _callback(request, place),
    )
    answer = render(request, "publishing/go.html", {"model": model, "network": network, "begun": begun})
    # No redirect: the policy for forms of this page lets them lead nowhere else.
    answer["Refresh"] = f"0; url={begun.address}"
    return answer


def _callback(request: HttpRequest, place: str) -> str:
    return request.build_absolute_uri(reverse("account_callback", args=[place]))


@sensitive_variables("code")
@login_required
@never_cache
@require_GET
def come_back(request: HttpRequest, place: str) -> HttpResponse:
    """Connect the account that its owner has just allowed us to post for, on the page of this place."""
    try:
        mine = consent.take(
            request.session, owner=cast(User, request.user).pk, place=place, state=request.GET.get("state", "")
        )
    except PublishingError as error:
        messages.error(request, translated(error))
        return redirect("models")
    with missing_is_404(TrainedModel.DoesNotExist):
        model = services.publishable_for_user(request.user, uuid.UUID(mine["model"]))
    code = request.GET.get("code", "")
    if not code:
        said = _("Nothing is connected, because you didn’t allow it on %(place)s.")
        messages.warning(request, said % {"place": place})
    else:
        try:
            account = consent.finish(model, mine, code=code, callback=_callback(request, place))
        except PublishingError as error:
            messages.error(request, translated(error))
        else:
            messages.success(request, _("%(handle)s is connected.") % {"handle": account.handle})
            return redirect(f"{_address(model)}#where")
    return redirect("connect_account", model_id=model.pk, network=mine["network"])


def _new_secret(request: HttpRequest, model: TrainedModel, network: str) -> str:
    """Return the secret of the account that was just connected, the first time it's asked for."""
    account = Account.objects.filter(queue__model=model, network=network, state=Account.State.CONNECTED).first()
    if account is None or request.session.get(_NEW_SECRET) != str(account.pk):
        return ""
    del request.session[_NEW_SECRET]
    return connecting.secret_of(account)


@login_required
@require_POST
@missing_is_404(Account.DoesNotExist)
def mark_account(request: HttpRequest, account_id: uuid.UUID) -> HttpResponse:
    """Have the network show the account as a bot."""
    account = services.account_for_user(request.user, account_id)
    try:
        connecting.mark(account)
    except PublishingError as error:
        messages.error(request, translated(error))
    else:
        messages.success(request, _("%(handle)s is marked as a bot.") % {"handle": account.handle or account.network})
    return redirect(f"{_address(account.queue.model)}#where")


@login_required
@require_POST
@missing_is_404(Account.DoesNotExist)
def disconnect_account(request: HttpRequest, account_id: uuid.UUID) -> HttpResponse:
    """Forget the credentials of an account, or close a feed."""
    account = services.account_for_user(request.user, account_id)
    connecting.disconnect(account)
    if account.network == connecting.FEED:
        messages.success(request, _("The feed is closed. Its address no longer works."))
    else:
        messages.success(request, _("Disconnected. The credentials are deleted here. Posts there stay where they are."))
    return redirect(f"{_address(account.queue.model)}#where")


@login_required
@require_POST
@missing_is_404(Account.DoesNotExist)
def renew_feed(request: HttpRequest, account_id: uuid.UUID) -> HttpResponse:
    """Give a feed a new address."""
    account = services.account_for_user(request.user, account_id)
    try:
        connecting.renew_link(account)
    except PublishingError as error:
        messages.error(request, translated(error))
    else:
        messages.success(request, _("The feed has a new address. The old one no longer works."))
    return redirect(f"{_address(account.queue.model)}#where")


@login_required
@require_POST
@missing_is_404(Proposal.DoesNotExist)
def approve(request: HttpRequest, proposal_id: uuid.UUID) -> HttpResponse:
    """Put a post into the queue, as written or edited."""
    proposal = services.proposal_for_user(request.user, proposal_id)
    form = ApproveForm(request.POST)
    if not form.is_valid():
        why = PublishingError(str(next(iter(form.errors.values()))[0]))
        return _refused(request, proposal, why, typed=request.POST.get("text", ""))
    try:
        approved = services.approve(
            proposal,
            text=form.cleaned_data["text"] if "text" in request.POST else None,
            at=form.cleaned_data["at"],
            is_sure=form.cleaned_data["sure"] == "yes",
        )
    except REFUSALS as error:
        return _refused(request, proposal, error, typed=form.cleaned_data["text"])
    wall = approved.wall_time
    said = _("Approved for %(time)s.") % {"time": date_format(wall, "D, j M, H:i") if wall else ""}
    return _done(request, proposal.queue.model, said)


@login_required
@require_POST
@missing_is_404(Proposal.DoesNotExist)
def reject(request: HttpRequest, proposal_id: uuid.UUID) -> HttpResponse:
    """Reject a proposal. Nothing like it is proposed again."""
    proposal = services.proposal_for_user(request.user, proposal_id)
    try:
        services.reject(proposal, reason=request.POST.get("reason", ""))
    except REFUSALS as error:
        return _refused(request, proposal, error)
    return _done(request, proposal.queue.model, _("Rejected."))


@login_required
@require_POST
@missing_is_404(Proposal.DoesNotExist)
def put_back(request: HttpRequest, proposal_id: uuid.UUID) -> HttpResponse:
    """Make a post a proposal again."""
    proposal = services.proposal_for_user(request.user, proposal_id)
    try:
        services.put_back(proposal)
    except REFUSALS as error:
        return _refused(request, proposal, error)
    return _done(request, proposal.queue.model, _("It’s a proposal again."))


@login_required
@require_POST
@missing_is_404(Proposal.DoesNotExist)
def move(request: HttpRequest, proposal_id: uuid.UUID) -> HttpResponse:
    """Give a waiting post a time of its own or, without one, the next free slot again."""
    proposal = services.proposal_for_user(request.user, proposal_id)
    form = MoveForm(request.POST)
    if not form.is_valid():
        return _refused(request, proposal, PublishingError(str(form.errors["at"][0])))
    try:
        moved = services.move(proposal, form.cleaned_data["at"])
    except REFUSALS as error:
        return _refused(request, proposal, error)
    wall = moved.wall_time
    said = _("Moved to %(time)s.") % {"time": f"{wall:%Y-%m-%d %H:%M}" if wall else ""}
    return _done(request, proposal.queue.model, said)


@login_required
@require_POST
@missing_is_404(Proposal.DoesNotExist)
def recall(request: HttpRequest, proposal_id: uuid.UUID) -> HttpResponse:
    """Delete a post where it was published."""
    proposal = services.proposal_for_user(request.user, proposal_id)
    try:
        services.recall(proposal)
    except REFUSALS as error:
        return _refused(request, proposal, error)
    return _done(request, proposal.queue.model, _("The post is being deleted."))


@login_required
@require_POST
@missing_is_404(Publication.DoesNotExist)
def send_again(request: HttpRequest, publication_id: uuid.UUID) -> HttpResponse:
    """Send a post now that failed or was missed."""
    publication = services.publication_for_user(request.user, publication_id)
    try:
        services.send_again(publication)
    except REFUSALS as error:
        return _refused(request, publication.proposal, error)
    return _done(request, publication.proposal.queue.model, _("It’s being sent."))


def _address(model: TrainedModel) -> str:
    return reverse("queue", args=[model.pk])


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")


def _done(request: HttpRequest, model: TrainedModel, said: str) -> HttpResponse:
    """Answer a script, or lead back to the page with a message."""
    if _wants_json(request):
        return JsonResponse({"said": said})
    messages.success(request, said)
    return redirect(_address(model))


def _refused(request: HttpRequest, proposal: Proposal, error: Exception, *, typed: str = "") -> HttpResponse:
    """Say why a decision wasn't possible, beside the proposal. What was typed is still there."""
    if _wants_json(request):
        return JsonResponse({"error": translated(error), "code": getattr(error, "code", "")}, status=400)
    return _page(request, proposal.queue.model, refused=proposal, why=error, typed=typed, status=400)
