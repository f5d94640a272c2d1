"""The pages for shared models: the gallery, and a model as others see it, from the gallery or by link."""

from __future__ import annotations

import uuid
from typing import Any, Final, cast

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from botfactory.accounts.models import User
from botfactory.accounts.rules import house_rules
from botfactory.web.listing import CARDS_ON_A_PAGE, Listing
from models_app.bots.rows import TrainedModel
from models_app.downloads.in_browser.files import can_be_carried
from models_app.gallery import finding
from models_app.gallery.picture import Picture
from models_app.gallery.previews import preview_of
from models_app.pages import showing
from models_app.pages.forms import GalleryForm
from models_app.pages.views import asking_context, written
from models_app.sharing import links, tags
from models_app.sharing import rights as sharing
from models_app.writing import generations
from models_app.writing.form import GenerateForm
from models_app.writing.playing.services import ToldApart, may_play

_YEAR: Final = 365 * 24 * 3600


@require_GET
def gallery_page(request: HttpRequest) -> HttpResponse:
    """Show a page of the public models: those that a search or a tag finds, in the order that the visitor chose."""
    rules = house_rules()
    if not rules.public_sharing:
        raise Http404(_("The administrator turned the gallery off."))
    if not request.user.is_authenticated and not rules.open_gallery:
        return redirect_to_login(request.get_full_path())
    form = GalleryForm(request.GET)
    everything = sharing.gallery_for_user(request.user)
    words, tag = form.asked("q"), tags.normalised(form.asked("tag"))
    found = finding.find(everything, words=words, tag=tag, order=form.asked("sort"))
    listing = Listing(found, form, size=CARDS_ON_A_PAGE)
    context = {
        "form": form,
        "listing": listing,
        "words": words,
        "page": listing.page,
        "models": showing.with_samples(listing.rows),
        "tag_links": _tag_links(form, [tag] if tag else tags.common(everything), tag),
        "is_filtered": bool(words or tag),
    }
    return render(request, "models_app/gallery.html", context, status=listing.status)


def _tag_links(form: GalleryForm, names: list[str], chosen: str) -> list[tuple[str, str, bool]]:
    """Return each tag with the address of its bots, or of all bots if it is the chosen one, and whether it is that."""
    return [(name, f"?{form.address(tag='' if name == chosen else name, page=1)}", name == chosen) for name in names]


def shared_page(request: HttpRequest, model_id: uuid.UUID | None = None, link: str = "") -> HttpResponse:
    """Show a model as others see it. Redirects to the sign-in page if signing in could help."""
    model = _found(request, model_id, link)
    return redirect_to_login(request.get_full_path()) if model is None else _shared(request, model, link)


@require_GET
def _shared(request: HttpRequest, model: TrainedModel, link: str) -> HttpResponse:
    rights = sharing.rights_of(request.user, model, link=link)
    may_write = sharing.Right.WRITE in rights
    generation = generations.generations_for_user(request.user).filter(model=model).first() if may_write else None
    samples = sharing.samples_of(model)
    context: dict[str, Any] = {
        "model": model,
        "preview": preview_of(request, model, samples, link=link),
        "basis": sharing.basis_of(model),
        "tags": tags.of(model),
        "samples": samples,
        "figures": sharing.figures_of(model),
        "is_own": sharing.Right.CHANGE in rights,
        "is_shared": sharing.is_shared(model),
        "may_write": may_write,
        "may_carry": sharing.Right.CARRY in rights and can_be_carried(model),
        "action": f"{request.path}generate",
        "key": link or str(model.pk),
        "people": ToldApart.of(model),
        "may_play": may_play(model, rights),
        "form": GenerateForm(),
        **asking_context(model, generation, cast(User, request.user) if may_write else None),
        "generation": generation,
    }
    response = render(request, "models_app/shared.html", context)
    # People decide who gets a link; search engines must not spread it.
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def preview_picture(request: HttpRequest, model_id: uuid.UUID | None = None, link: str = "") -> HttpResponse:
    """Send the picture of a model's link previews to whoever may open its page."""
    model = _found(request, model_id, link)
    return redirect_to_login(request.get_full_path()) if model is None else _picture(request, model)


@require_GET
def _picture(request: HttpRequest, model: TrainedModel) -> HttpResponse:
    picture = Picture.of(model, sharing.samples_of(model))
    is_current = request.GET.get("v") == picture.digest
    etag = f'"{picture.digest}"'
    response = get_conditional_response(request, etag) or HttpResponse(picture.png(), content_type="image/png")
    response.headers["ETag"] = etag
    # Only the reader's own cache: whoever shares a proxy with them may not be allowed to see it.
    response.headers["Cache-Control"] = f"private, max-age={_YEAR}, immutable" if is_current else "private, no-cache"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


@login_required
@require_POST
def generate(request: HttpRequest, model_id: uuid.UUID | None = None, link: str = "") -> HttpResponseBase:
    """Generate posts with somebody's model, within the limits of the person who asks."""
    model = _found(request, model_id, link)
    if model is None or sharing.Right.WRITE not in sharing.rights_of(request.user, model, link=link):
        raise Http404("There is no such model.")
    return written(request, model, back=request.path.removesuffix("generate"))


def _found(request: HttpRequest, model_id: uuid.UUID | None, link: str) -> TrainedModel | None:
    """Return the model, or None if the person must sign in first. Raises Http404 if they may not see it."""
    try:
        if model_id is None:
            model = sharing.shared_by_link(request.user, link)
            links.remember(request, model, link)
            return model
        return sharing.shared_for_user(request.user, model_id)
    except TrainedModel.DoesNotExist:
        # Before sign-in, an id must not reveal whether a model exists. A link works for anyone who has it.
        if model_id is not None and not request.user.is_authenticated:
            return None
        raise Http404("There is no such model.") from None
