"""Answer probes, count requests and sockets, and write the access log."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from botfactory.ops import counters, probes

access_log = logging.getLogger("botfactory.access")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@sync_and_async_middleware
def probes_and_counts(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Answer probes and count requests. This is the outermost middleware."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            started = time.perf_counter()
            response = None
            if request.path_info in probes.PROBES:
                response = await sync_to_async(probes.answer)(request)
            if response is None:
                response = await get_response(request)
            _count(request, response, started)
            return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = probes.answer(request)
        if response is None:
            response = get_response(request)
        _count(request, response, started)
        return response

    return answer


def _count(request: HttpRequest, response: HttpResponseBase, started: float) -> None:
    route = route_of(request)
    method = request.method if request.method in METHODS else "other"
    seconds = time.perf_counter() - started
    counters.http_requests.labels(method, route, str(response.status_code)).inc()
    counters.http_seconds.labels(route).observe(seconds)
    if settings.ACCESS_LOG:
        sender = request.META.get("REMOTE_ADDR", "-")
        access_log.info("%s %s %s %d in %.0f ms", sender, method, route, response.status_code, 1000 * seconds)


def route_of(request: HttpRequest) -> str:
    """Return the pattern of the address instead of the address, so the number of labels stays small."""
    match = request.resolver_match
    if match is not None and match.route is not None:
        return "/" + match.route.removeprefix("^").removeprefix("/")
    if request.path_info in probes.PROBES:
        return request.path_info
    return settings.STATIC_URL if request.path_info.startswith(settings.STATIC_URL) else "none"


Send = Callable[[dict[str, Any]], Awaitable[None]]


class CountedSockets:
    """Wraps an ASGI application and counts its open websockets."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        is_open = False

        async def counting_send(message: dict[str, Any]) -> None:
            nonlocal is_open
            await send(message)
            if message["type"] == "websocket.accept" and not is_open:
                is_open = True
                counters.websocket_clients.inc()

        try:
            await self.inner(scope, receive, counting_send)
        finally:
            if is_open:
                counters.websocket_clients.dec()
