"""Pages for kept posts, and the forms below a post: edit it before keeping it, report it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from botfactory.accounts.models import User
from botfactory.rest.rate_limit import paced
from botfactory.web.listing import ListForm, Listing
from botfactory.words.translation import translated
from models_app.bots.rows import TrainedModel
from models_app.sharing.links import link_to
from models_app.sharing.rights import Right, rights_of
from models_app.writing.keeping import export, reports, services
from models_app.writing.keeping.rows import KeptPost, PostReport
from models_app.writing.rows import Generation


class KeptForm(ListForm):
    """The search of the kept posts."""

    q = forms.CharField(max_length=200, required=False, label=gettext_lazy("Text"))
    bot = forms.UUIDField(required=False, label=gettext_lazy("Bot"))


@login_required
@require_GET
def kept_list(request: HttpRequest) -> HttpResponse:
    """List what the person has kept, of all bots or of one. As a part, for the tab of a bot's page."""
    form, bots = KeptForm(request.GET), list(services.models_with_kept(cast(User, request.user)))
    listing = Listing(_found(request, form), form)
    picked = next((bot for bot in bots if bot.pk == form.asked("bot")), None)
    context = {
        "form": form,
        "listing": listing,
        "page": listing.page,
        "bots": bots,
        "picked": picked,
        "bot": form.asked("bot"),
        "formats": export.FORMATS,
        "only": form.address(page=1),
        "is_part": bool(getattr(request, "htmx", False)),
    }
    return render(request, "models_app/kept.html", context, status=listing.status)


@login_required
@require_GET
@paced("GET")
def export_kept(request: HttpRequest) -> StreamingHttpResponse:
    """Send what the person has kept as a file, filtered like the list."""
    form, name = KeptForm(request.GET), request.GET.get("format", "txt")
    if name not in export.FORMATS or not form.is_valid():
        raise Http404("There is no such file.")
    bots = services.models_with_kept(cast(User, request.user))
    model = bots.filter(pk=form.asked("bot")).first() if form.asked("bot") else None
    disposition = content_disposition_header(True, export.file_name(model, name))
    return StreamingHttpResponse(
        export.stream(_found(request, form), export.FORMATS[name]),
        content_type=export.FORMATS[name].content_type,
        headers={"Content-Disposition": disposition or "", "X-Content-Type-Options": "nosniff"},
    )


def _found(request: HttpRequest, form: KeptForm) -> Any:
    kept = services.kept_for_user(request.user)
    return services.find(kept, words=form.asked("q"), model=form.asked("bot") or None)


@login_required
@require_http_methods(["GET", "POST"])
@paced("POST")
def keep_post(request: HttpRequest, generation_id: uuid.UUID) -> HttpResponse:
    """Keep a post of a generation; on GET, show a form to edit it before."""
    generation, number, written = _post(request, generation_id)
    context = {"generation": generation, "number": number, "text": request.POST.get("text", written)}
    if request.method == "GET":
        return render(request, "models_app/keep_post.html", context)
    try:
        kept = services.keep(generation=generation, number=number, text=request.POST.get("text"))
    except services.NoSuchPost:
        raise Http404("There is no such post.") from None
    except services.KeepingError as error:
        return render(request, "models_app/keep_post.html", context | {"trouble": translated(error)}, status=400)
    said = _("Kept, with your changes.") if kept.is_edited else _("Kept.")
    answer = {"said": said, "kept": not kept.is_edited, "action": reverse("remove_kept", args=[kept.pk])}
    return _done(request, answer, generation.model)


@login_required
@require_POST
def remove_kept(request: HttpRequest, kept_id: uuid.UUID) -> HttpResponse:
    """Remove a kept post. What the bot wrote stays."""
    try:
        kept = services.kept_post_for_user(request.user, kept_id)
    except KeptPost.DoesNotExist:
        raise Http404("There is no such post.") from None
    services.remove(kept)
    if _wants_json(request):
        action = reverse("keep_post", args=[kept.generation_id]) if kept.generation_id else ""
        return JsonResponse({"said": _("No longer kept."), "kept": False, "action": action})
    form = KeptForm(request.POST)
    return redirect(f"{reverse('kept')}?{form.address()}")


@login_required
@require_http_methods(["GET", "POST"])
@paced("POST")
def report_post(request: HttpRequest, generation_id: uuid.UUID) -> HttpResponse:
    """Report a post that somebody else's bot wrote; on GET, show the form."""
    generation, number, written = _post(request, generation_id)
    if not reports.may_report(request.user, generation.model):
        raise Http404("There is no such post.")
    context: dict[str, Any] = {
        "generation": generation,
        "number": number,
        "text": written,
        "reasons": PostReport.Reason.choices,
        "picked": request.POST.get("reason", ""),
        "note": request.POST.get("note", ""),
    }
    if request.method == "GET":
        return render(request, "models_app/report_post.html", context)
    try:
        reports.report(generation=generation, number=number, reason=context["picked"], note=context["note"])
    except services.NoSuchPost:
        raise Http404("There is no such post.") from None
    except reports.ReportError as error:
        return render(request, "models_app/report_post.html", context | {"trouble": translated(error)}, status=400)
    return _done(request, {"said": _("Thank you. The bot’s owner and the administrator see it.")}, generation.model)


@login_required
@require_POST
def close_report(request: HttpRequest, report_id: uuid.UUID) -> HttpResponse:
    """Mark a report of a post by one of the person's bots as dealt with."""
    try:
        found = reports.report_for_user(cast(User, request.user), report_id)
    except PostReport.DoesNotExist:
        raise Http404("There is no such report.") from None
    reports.close(PostReport.objects.filter(pk=found.pk))
    return redirect(f"{found.model.get_absolute_url()}#sharing")


def _post(request: HttpRequest, generation_id: uuid.UUID) -> tuple[Generation, int, str]:
    """Return the generation, and the index and text of its post that the request names. Raises Http404."""
    values = request.POST if request.method == "POST" else request.GET
    try:
        generation = services.generation_for_user(request.user, generation_id)
        number = int(values.get("post", "0"))
        return generation, number, services.post_of(generation, number)
    except (Generation.DoesNotExist, services.NoSuchPost, ValueError):
        raise Http404("There is no such post.") from None


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")


def _done(request: HttpRequest, answer: dict[str, Any], model: TrainedModel) -> HttpResponse:
    """Answer a script, or lead back to the page of the model with a message."""
    if _wants_json(request):
        return JsonResponse(answer)
    messages.success(request, answer["said"])
    return redirect(page_for(request, model))


def page_for(request: HttpRequest, model: TrainedModel) -> str:
    """Return the address of the page where this person finds the model, or of what they kept if there is none."""
    pages: dict[Right, Callable[[], str]] = {Right.ORIGIN: model.get_absolute_url, Right.SEE: model.get_shared_url}
    rights = rights_of(request.user, model, link=link_to(request, model))
    return next((page() for right, page in pages.items() if right in rights), "") or reverse("kept")
