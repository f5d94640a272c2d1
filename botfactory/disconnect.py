"""Stop work for a client that no longer waits for the answer.

Under ASGI, Django cancels a request when its client closes the connection. That ends coroutines, but not a view that
computes in a thread, because threads can't be ended from outside. Such a view checks here from time to time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware


class ClientGone(Exception):
    """The client has closed the connection, so nobody will read the answer."""


@sync_and_async_middleware
def note_disconnects(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Note when the client closes the connection. Innermost, because outer middleware hears of it too late."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            gone = request.client_gone = threading.Event()  # type: ignore[attr-defined]
            try:
                response: HttpResponseBase = await get_response(request)
            except asyncio.CancelledError:
                gone.set()
                raise
            return response

        return answer_async

    return get_response


def require_client(request: HttpRequest) -> Callable[[], None]:
    """Return a function that raises ClientGone once the client has closed the connection.

    Outside ASGI there is no way to tell, so the function never raises.
    """
    gone: threading.Event | None = getattr(request, "client_gone", None)

    def proceed() -> None:
        if gone is not None and gone.is_set():
            raise ClientGone

    return proceed
