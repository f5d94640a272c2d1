"""The limit of requests per person and minute, counted for all web processes together."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.core.cache import caches
from django.http import HttpRequest
from django.shortcuts import render
from django.utils.translation import ngettext
from redis.exceptions import RedisError

from botfactory.accounts import limits
from botfactory.accounts.models import User
from botfactory.broker import doorbell
from botfactory.rest.errors import ApiError
from botfactory.words.translation import grouped, translated

logger = logging.getLogger(__name__)

#: The cache in the broker (settings.CACHES), which all processes share.
CACHE = "shared"
_MINUTE = 60

View = TypeVar("View", bound=Callable[..., Any])


def require_pace(user: User) -> None:
    """Count a request. Raises ApiError 429 if the person has made too many in this minute.

    If the broker can't be reached, nobody is refused.
    """
    most = limits.limits_of(user).requests_a_minute
    if most is None:
        return
    now = time.time()
    try:
        with doorbell.waiting():
            asked = _count(f"requests:{user.pk}:{int(now // _MINUTE)}")
    except (RedisError, OSError) as error:
        logger.warning("requests aren't counted: the broker can't be reached (%s)", error)
        return
    if asked > most:
        wait = _MINUTE - int(now % _MINUTE)
        raise ApiError(
            429,
            "too_many_requests",
            ngettext(
                "You can make at most %(count)s request per minute. Wait %(wait)s s, then continue.",
                "You can make at most %(count)s requests per minute. Wait %(wait)s s, then continue.",
                most,
            )
            % {"count": grouped(most), "wait": wait},
            headers={"Retry-After": str(wait)},
        )


def _count(key: str) -> int:
    """Count one more; return the new number."""
    cache = caches[CACHE]
    cache.add(key, 0, timeout=2 * _MINUTE)
    try:
        return cache.incr(key)
    except ValueError:
        # The key has expired in between.
        return 1


def paced(*methods: str) -> Callable[[View], View]:
    """Count a view's requests by these methods like requests to the API. Put it below `login_required`.

    After too many, the answer is a page that says so, with 429 and Retry-After.
    """

    def within(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if request.method in methods:
                try:
                    require_pace(cast(User, request.user))
                except ApiError as error:
                    page = render(request, "429.html", {"sentence": translated(error)}, status=error.status)
                    for name, value in error.headers.items():
                        page.headers[name] = value
                    return page
            return view(request, *args, **kwargs)

        return cast(View, answer)

    return within
