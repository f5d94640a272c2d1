"""Answer HEAD wherever GET works, for uptime monitors and link previews."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def head_as_get(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Show views a GET instead of a HEAD. This is the innermost middleware; the server sends no body."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            if request.method != "HEAD":
                response: HttpResponseBase = await get_response(request)
                return response
            request.method = "GET"
            try:
                return _without_stream(await get_response(request))
            finally:
                request.method = "HEAD"

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        if request.method != "HEAD":
            response: HttpResponseBase = get_response(request)
            return response
        request.method = "GET"
        try:
            return _without_stream(get_response(request))
        finally:
            request.method = "HEAD"

    return answer


def _without_stream(response: HttpResponseBase) -> HttpResponseBase:
    """Return the response without its stream, because some streams never end."""
    if not isinstance(response, StreamingHttpResponse):
        return response
    response.close()
    empty = HttpResponse(status=response.status_code)
    empty.headers, empty.cookies = response.headers, response.cookies
    return empty
