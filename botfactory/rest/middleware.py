"""Around each request: its id. Around requests to the API: one shape of errors, and the headers of each answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from botfactory.rest import request_id as request_ids
from botfactory.rest.errors import error_response

PREFIX: Final = "/api/v1/"
_HELP: Final = '</api/docs>; rel="help", </api/v1/openapi.json>; rel="service-desc"'


@sync_and_async_middleware
def request_id(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Give each answer its X-Request-Id, and each line that is logged on the way to it."""
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
    """Give every error under /api/v1/ our shape, also those of unknown addresses and methods."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            return _shaped(request, await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        return _shaped(request, get_response(request))

    return answer


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(PREFIX) or request.path_info == PREFIX.rstrip("/")


def _shaped(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if not _is_api(request):
        return response
    if response.status_code >= 400 and not getattr(response, "is_api_error", False):
        kept = {name: response.headers[name] for name in ("Allow", "Retry-After") if name in response.headers}
        response = error_response(response.status_code, headers=kept)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("Link", _HELP)
    return response
