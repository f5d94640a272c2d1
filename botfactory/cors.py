"""Which pages of other sites may read answers of the API: those of API_CORS_ORIGINS, and by token only."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

ANY = "*"
_PREFLIGHT_SECONDS = 600


def cross_origin(view: View[P]) -> View[P]:
    """The view with the headers of CORS on each of its answers, and with OPTIONS answered. It takes GET.

    Never `Allow-Credentials`: a foreign page has the token that it was given, not the session of who looks at it.
    """

    @wraps(view)
    def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        is_asking = request.method == "OPTIONS"
        response = HttpResponse(status=204, headers={"Allow": "GET"}) if is_asking else view(request, *args, **kwargs)
        allowed: list[str] = settings.API_CORS_ORIGINS
        origin = request.headers.get("Origin", "")
        if ANY not in allowed:
            patch_vary_headers(response, ["Origin"])
        if not origin or (origin not in allowed and ANY not in allowed):
            return response
        response["Access-Control-Allow-Origin"] = ANY if ANY in allowed else origin
        response["Access-Control-Expose-Headers"] = "Retry-After"
        if is_asking:
            response["Access-Control-Allow-Methods"] = "GET"
            response["Access-Control-Allow-Headers"] = "Authorization"
            response["Access-Control-Max-Age"] = str(_PREFLIGHT_SECONDS)
        return response

    return answer
