"""Which pages of other sites may read answers of the API: those of API_CORS_ORIGINS, and by token only."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

P = ParamSpec("P")
R = TypeVar("R", bound=HttpResponseBase)
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

ANY = "*"
_PREFLIGHT_SECONDS = 600


def is_allowed(origin: str) -> bool:
    """Whether pages of that site may read answers, by token."""
    allowed: list[str] = settings.API_CORS_ORIGINS
    return bool(origin) and (origin in allowed or ANY in allowed)


def add_cors(request: HttpRequest, response: R, *, methods: str, headers: str, exposed: str) -> R:
    """The answer with the headers of CORS; one to OPTIONS says what can be sent.

    Never `Allow-Credentials`: a foreign page has the token that it was given, not the session of who looks at it.
    """
    allowed: list[str] = settings.API_CORS_ORIGINS
    origin = request.headers.get("Origin", "")
    if ANY not in allowed:
        patch_vary_headers(response, ["Origin"])
    if not is_allowed(origin):
        return response
    response.headers["Access-Control-Allow-Origin"] = ANY if ANY in allowed else origin
    response.headers["Access-Control-Expose-Headers"] = exposed
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = methods
        response.headers["Access-Control-Allow-Headers"] = headers
        response.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_SECONDS)
    return response


def cross_origin(view: View[P]) -> View[P]:
    """The view with the headers of CORS on each of its answers, and with OPTIONS answered. It takes GET."""

    @wraps(view)
    def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        is_asking = request.method == "OPTIONS"
        response = HttpResponse(status=204, headers={"Allow": "GET"}) if is_asking else view(request, *args, **kwargs)
        return add_cors(request, response, methods="GET", headers="Authorization", exposed="Retry-After")

    return answer
