"""Answer the requests that were refused: on arrival for their bodies (bodies.py), or by an outage (failures.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext_lazy as _

from botfactory.edge.bodies import REFUSAL
from botfactory.outages.refusal import Refusal
from botfactory.rest.errors import refused
from botfactory.words.translation import translated

_TITLES: Final = {
    408: _("This took too long"),
    413: _("This is too large"),
    429: _("Too many at once"),
    503: _("This isn’t possible right now"),
}


@sync_and_async_middleware
def refused_bodies(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Answer refused requests before anything reads their incomplete body."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> Any:
            refusal = _refusal(request)
            return await get_response(request) if refusal is None else answer_to(request, refusal)

        return answer_async

    def answer(request: HttpRequest) -> Any:
        refusal = _refusal(request)
        return get_response(request) if refusal is None else answer_to(request, refusal)

    return answer


def _refusal(request: HttpRequest) -> Refusal | None:
    found: Refusal | None = getattr(request, "scope", {}).get(REFUSAL)
    return found


def answer_to(request: HttpRequest, refusal: Refusal, *, again: str = "") -> HttpResponse:
    """Return the answer for a refusal. Its page, which needs no session and no database, has a link to try `again`."""
    if request.path_info.startswith("/api/"):
        return refused(refusal)
    shown = {"title": _TITLES[refusal.status], "message": translated(refusal.message), "again": again}
    page = render_to_string("refused.html", shown)
    return HttpResponse(page, status=refusal.status, headers={**refusal.headers, "Cache-Control": "no-store"})
