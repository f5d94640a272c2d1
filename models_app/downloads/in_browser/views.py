"""The page on which a bot writes in the browser, and all that the page needs: for its owner, from the gallery, by link.

All of them are below the page's address, so that its service worker can't touch any other page.
"""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

from csp.constants import WASM_UNSAFE_EVAL
from csp.decorators import csp_update
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from botfactory.accounts.rules import house_rules
from botfactory.edge.files import modules_of
from botfactory.rest.rate_limit import paced
from botfactory.words.translation import translated
from models_app.bots.rows import TrainedModel
from models_app.downloads.in_browser import files
from models_app.downloads.in_browser import services as in_browser
from models_app.ml.errors import LearningError
from models_app.writing.form import GenerateForm

_KEPT: Final = "private, max-age=31536000, immutable"
_ASKED_AGAIN: Final = "private, no-cache"
#: The accent and the paper of static/css/base/tokens.css, for windows of installed pages.
_THEME, _BACKGROUND = "#0f8371", "#ffffff"


def _found(request: HttpRequest, model_id: uuid.UUID | None, link: str, is_own: bool) -> TrainedModel:
    try:
        if is_own and model_id is not None:
            return in_browser.own_bot_for_user(request.user, model_id)
        return in_browser.shared_bot_for_user(request.user, model_id, link)
    except TrainedModel.DoesNotExist:
        raise Http404("There is no such model.") from None


def _place(request: HttpRequest) -> str:
    """Return the address of the page, below which everything is."""
    return request.path[: request.path.rindex("/") + 1]


@login_required
@require_GET
@paced("GET")
def page(
    request: HttpRequest, model_id: uuid.UUID | None = None, link: str = "", *, is_own: bool = False
) -> HttpResponse:
    """Show the form that makes the bot write, and what it writes."""
    model = _found(request, model_id, link, is_own)
    context: dict[str, Any] = {
        "model": model,
        "back": request.path.removesuffix("browser/"),
        "form": GenerateForm(),
        "can_be_carried": files.can_be_carried(model),
    }
    if context["can_be_carried"]:
        try:
            context |= _bot(request, model)
        except LearningError as error:
            context["trouble"] = translated(error)
    response = render(request, "models_app/in_browser.html", context)
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _bot(request: HttpRequest, model: TrainedModel) -> dict[str, Any]:
    """Return what the page's script needs."""
    usual, *exact = files.weights_of(model)
    guard = files.version_of(files.packed_guard(request.user, model))
    return {
        "weights": usual,
        "exact": exact[0] if exact else None,
        "bot": {
            "cache": _cache_of(request),
            "weights": f"weights?version={usual.version}",
            "exact": f"weights?version={exact[0].version}" if exact else None,
            "guard": f"guard?version={guard}",
            "house": list(house_rules().banned_phrases),
            "scripts": modules_of("js/in-browser/worker.js"),
        },
    }


def _cache_of(request: HttpRequest) -> str:
    """Return the name under which the person's browser keeps the bot."""
    return f"bot:{request.user.pk}:{_place(request)}"


@login_required
@require_GET
@paced("GET")
def weights(
    request: HttpRequest, model_id: uuid.UUID | None = None, link: str = "", *, is_own: bool = False
) -> HttpResponse:
    """Send the bot's weights. `version` names the file; without it, the usual one."""
    model = _found(request, model_id, link, is_own)
    if not files.can_be_carried(model):
        raise Http404(_("Only quick bots write in the browser."))
    asked = request.GET.get("version", "")
    version = asked or files.weights_of(model)[0].version
    known = _known(request, version, bool(asked))
    if known is not None:
        return known
    data = files.packed_weights(model, version)
    if data is None:
        raise Http404(_("This file has been replaced. Reload the page."))
    return _file(data, version, is_asked=bool(asked))


@login_required
@require_GET
@paced("GET")
def guard(
    request: HttpRequest, model_id: uuid.UUID | None = None, link: str = "", *, is_own: bool = False
) -> HttpResponse:
    """Send what tells copies of learned posts."""
    model = _found(request, model_id, link, is_own)
    if not files.can_be_carried(model):
        raise Http404(_("Only quick bots write in the browser."))
    data = files.packed_guard(request.user, model)
    version = files.version_of(data)
    is_asked = request.GET.get("version") == version
    return _known(request, version, is_asked) or _file(data, version, is_asked=is_asked)


def _known(request: HttpRequest, version: str, is_asked: bool) -> HttpResponse | None:
    """Return the answer for a browser that has this version."""
    answer: HttpResponse | None = get_conditional_response(request, etag=f'"{version}"')
    if answer is not None:
        for name, value in _headers(version, is_asked).items():
            answer.headers[name] = value
    return answer


def _file(data: bytes, version: str, *, is_asked: bool) -> HttpResponse:
    headers = {**_headers(version, is_asked), "Content-Length": str(len(data))}
    return HttpResponse(data, content_type="application/octet-stream", headers=headers)


def _headers(version: str, is_asked: bool) -> dict[str, str]:
    return {"ETag": f'"{version}"', "Cache-Control": _KEPT if is_asked else _ASKED_AGAIN}


@login_required
@require_GET
def manifest(
    request: HttpRequest, model_id: uuid.UUID | None = None, link: str = "", *, is_own: bool = False
) -> HttpResponse:
    """Describe the page as an app that can be installed."""
    model, place = _found(request, model_id, link, is_own), _place(request)
    content = {
        "id": place,
        "name": model.name,
        "short_name": model.name[:12],
        "description": model.parody_label,
        "start_url": place,
        "scope": place,
        "display": "standalone",
        "theme_color": _THEME,
        "background_color": _BACKGROUND,
        "icons": [{"src": static("img/favicon.svg"), "sizes": "any", "type": "image/svg+xml"}],
    }
    return JsonResponse(content, content_type="application/manifest+json")


@csp_update({"script-src": WASM_UNSAFE_EVAL})  # type: ignore[untyped-decorator]
@login_required
@require_GET
def worker_script(
    request: HttpRequest, model_id: uuid.UUID | None = None, link: str = "", *, is_own: bool = False
) -> HttpResponse:
    """Send the script in which the bot writes. Below the page, so that the service worker can keep it.

    It may compile WebAssembly, which no page may.
    """
    _found(request, model_id, link, is_own)
    return _script(f"import {json.dumps(static('js/in-browser/worker.js'))};\n")


@login_required
@require_GET
def service_script(
    request: HttpRequest, model_id: uuid.UUID | None = None, link: str = "", *, is_own: bool = False
) -> HttpResponse:
    """Send the service worker. Its folder is all that it may ever answer for."""
    _found(request, model_id, link, is_own)
    name, script = json.dumps(_cache_of(request)), json.dumps(static("js/in-browser/service.js"))
    return _script(f"self.cacheName = {name};\nimportScripts({script});\n")


def _script(text: str) -> HttpResponse:
    headers = {"Cache-Control": _ASKED_AGAIN}
    return HttpResponse(text, content_type="text/javascript; charset=utf-8", headers=headers)
