"""A page for those who open an address that only takes a form, as a reload or a switch of the language may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def told_on_a_page(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Say in a browser what is wrong with the method, where Django's answer is empty."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            response: HttpResponseBase = await get_response(request)
            return await sync_to_async(_with_page)(request, response) if _is_empty(request, response) else response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = get_response(request)
        return _with_page(request, response) if _is_empty(request, response) else response

    return answer


def _is_empty(request: HttpRequest, response: HttpResponseBase) -> bool:
    is_refused = isinstance(response, HttpResponseNotAllowed) and not response.content
    return is_refused and request.method == "GET" and "text/html" in request.headers.get("Accept", "")


def _with_page(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    assert isinstance(response, HttpResponseNotAllowed)
    response.content = render_to_string("405.html", request=request).encode()
    return response
