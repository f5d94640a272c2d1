"""Stop work for a client that no longer waits for the answer.

Under ASGI, Django cancels a request when its client closes the connection. That ends coroutines, but not a view that
computes in a thread. It also throws away what such a view returns, such as a stream that would have ended the work.
Therefore the ASGI handler itself keeps a `Client` for each request. Views ask it, or tell it what to stop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest

#: The key of the Client in the scope of a request.
CLIENT: Final = "botfactory.client"


class ClientGone(Exception):
    """The client has closed the connection, so nobody will read the answer."""


class Client:
    """The one who waits for the answer to a request. All threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_gone = False
        self._to_stop: list[Callable[[], object]] = []

    @property
    def is_gone(self) -> bool:
        return self._is_gone

    def leave(self) -> None:
        """The connection is closed, or the answer has ended. Stops in threads what is to be stopped, and doesn't wait.

        Needs a running event loop.
        """
        with self._lock:
            self._is_gone = True
            to_stop, self._to_stop = self._to_stop, []
        for stop in to_stop:
            asyncio.get_running_loop().run_in_executor(None, stop)

    def when_gone(self, stop: Callable[[], object]) -> None:
        """Call `stop` once the client is gone; at once if it already is."""
        with self._lock:
            if not self._is_gone:
                self._to_stop.append(stop)
                return
        stop()


def _client_of(request: HttpRequest) -> Client | None:
    """Return the client, or None outside ASGI, where there is no way to tell whether it is gone."""
    client: Client | None = getattr(request, "scope", {}).get(CLIENT)
    return client


def require_client(request: HttpRequest) -> Callable[[], None]:
    """Return a function that raises ClientGone once the client has closed the connection (outside ASGI, never)."""
    client = _client_of(request)

    def proceed() -> None:
        if client is not None and client.is_gone:
            raise ClientGone

    return proceed


def when_gone(request: HttpRequest, stop: Callable[[], object]) -> None:
    """Call `stop` in some thread once nobody reads the answer any more, even one that was read to its end.

    For what goes on after the view has returned. Outside ASGI it is never called.
    """
    client = _client_of(request)
    if client is not None:
        client.when_gone(stop)
