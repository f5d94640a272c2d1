"""Around each request: browsers store no pages that are for one person, and the house rules are read once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from botfactory.accounts.rules import read_once


@sync_and_async_middleware
def kept_nowhere(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Forbid storing answers to browsers with a session, unless the view says otherwise.

    It looks only at the cookie, so it needs no query. Static files are answered earlier.
    """
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            return _marked(request, await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        return _marked(request, get_response(request))

    return answer


@sync_and_async_middleware
def one_reading_of_the_rules(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Read the house rules once for each answer. What is streamed after its head reads them anew."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            with read_once():
                response: HttpResponseBase = await get_response(request)
            return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        with read_once():
            response: HttpResponseBase = get_response(request)
        return response

    return answer


def _marked(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if settings.SESSION_COOKIE_NAME in request.COOKIES:
        response.headers.setdefault("Cache-Control", "no-store")
    return response
