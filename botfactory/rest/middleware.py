"""Around each request: its id; and around those of the API: one shape of errors and the headers of each answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from botfactory.cors import add_cors
from botfactory.rest import request_id as request_ids
from botfactory.rest.errors import error_response

PREFIX: Final = "/api/v1/"
_HELP: Final = '</api/docs>; rel="help", </api/v1/openapi.json>; rel="service-desc"'
# What pages of other sites may send and read (API_CORS_ORIGINS).
_METHODS: Final = "GET, POST, PATCH, PUT, DELETE"
_TAKEN: Final = "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-Id"
_EXPOSED: Final = (
    "Allow, Content-Disposition, ETag, Idempotency-Replayed, Link, Retry-After, WWW-Authenticate, X-Request-Id"
)


@sync_and_async_middleware
def request_id(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Each answer has its X-Request-Id, and so has each line that is logged on the way to it."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            chosen = request_ids.chosen_or_new(request.headers.get(request_ids.HEADER, ""))
            token = request_ids.current.set(chosen)
            request.request_id = chosen  # type: ignore[attr-defined]
            try:
                response: HttpResponseBase = await get_response(request)
            finally:
                request_ids.current.reset(token)
            response.headers[request_ids.HEADER] = chosen
            return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        chosen = request_ids.chosen_or_new(request.headers.get(request_ids.HEADER, ""))
        token = request_ids.current.set(chosen)
        request.request_id = chosen  # type: ignore[attr-defined]
        try:
            response: HttpResponseBase = get_response(request)
        finally:
            request_ids.current.reset(token)
        response.headers[request_ids.HEADER] = chosen
        return response

    return answer


@sync_and_async_middleware
def one_shape(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Under /api/v1/ every error is an object of ours, whoever made it: also those of addresses and methods."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            preflight = _preflight(request)
            return _shaped(request, preflight if preflight is not None else await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        preflight = _preflight(request)
        return _shaped(request, preflight if preflight is not None else get_response(request))

    return answer


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(PREFIX) or request.path_info == PREFIX.rstrip("/")


def _preflight(request: HttpRequest) -> HttpResponse | None:
    """What a browser asks before a page of another site may ask; without that OPTIONS is a method like any other."""
    is_asking = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    return HttpResponse(status=204) if is_asking and _is_api(request) else None


def _shaped(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if not _is_api(request):
        return response
    if response.status_code >= 400 and not getattr(response, "is_api_error", False):
        kept = {name: response.headers[name] for name in ("Allow", "Retry-After") if name in response.headers}
        response = error_response(response.status_code, headers=kept)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("Link", _HELP)
    return add_cors(request, response, methods=_METHODS, headers=_TAKEN, exposed=_EXPOSED)
