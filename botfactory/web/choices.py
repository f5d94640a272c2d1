"""Choices that a browser keeps in a cookie, such as its theme, and that nobody else sees."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme

_YEAR: Final = 365 * 24 * 3600


def kept(request: HttpRequest, cookie: str, value: str) -> HttpResponse:
    """Keep the value in this cookie, remove the cookie for "", and return to the page that the form was on."""
    back = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        back = "/"
    answer = redirect(back)
    if value:
        answer.set_cookie(cookie, value, max_age=_YEAR, samesite="Lax", httponly=True, secure=request.is_secure())
    else:
        answer.delete_cookie(cookie)
    return answer
