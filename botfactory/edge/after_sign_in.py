"""The address after signing in, for those whose session had ended when they sent a form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.decorators import sync_and_async_middleware
from django.utils.http import url_has_allowed_host_and_scheme


@sync_and_async_middleware
def back_to_the_form(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Lead back to the page with the form. The address that the form was sent to may not be a page."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            return _led_back(request, await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        return _led_back(request, get_response(request))

    return answer


def _led_back(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if request.method != "POST" or response.status_code != 302:
        return response
    target, sign_in = urlsplit(response.headers["Location"]), resolve_url(settings.LOGIN_URL)
    if target.path != sign_in or not target.query.startswith(f"{REDIRECT_FIELD_NAME}="):
        return response
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, {request.get_host()}, require_https=request.is_secure()):
        return response
    page = urlsplit(referer)
    response.headers["Location"] = redirect_to_login(page._replace(scheme="", netloc="", fragment="").geturl()).url
    return response
