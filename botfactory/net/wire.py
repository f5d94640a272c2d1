"""How the outside is reached."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from typing import Final

import certifi

Resolver = Callable[[str, int], Sequence[str]]
Connector = Callable[[str, int, float], socket.socket]

#: Look-ups at once in this process. One that hangs keeps its place and its thread until the system gives up.
MAX_LOOKUPS: Final = 32
_PLACES: Final = threading.BoundedSemaphore(MAX_LOOKUPS)


def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a host, the best first."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connected(address: str, port: int, timeout: float) -> socket.socket:
    """Return a connection to an address (never a name)."""
    return socket.create_connection((address, port), timeout)


@cache
def _trusted_authorities() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())


@dataclass(frozen=True, slots=True)
class Wire:
    """How the outside is reached. Tests replace it with a network of their own."""

    resolve: Resolver = resolved
    connect: Connector = connected
    tls: Callable[[], ssl.SSLContext] = _trusted_authorities

    def addresses(self, host: str, port: int, *, seconds: float) -> Sequence[str]:
        """Return what `resolve` does. Raises what it raises, and TimeoutError if it takes longer.

        The system's look-up has no deadline and can't be ended: with a silent name server it takes up to a minute.
        """
        deadline = time.monotonic() + seconds
        found: Future[Sequence[str]] = Future()

        def look() -> None:
            try:
                found.set_result(self.resolve(host, port))
            except Exception as error:
                found.set_exception(error)
            finally:
                _PLACES.release()

        if not _PLACES.acquire(timeout=max(0.0, seconds)):
            raise TimeoutError
        try:
            threading.Thread(target=look, daemon=True).start()
        except RuntimeError:  # there are too many threads
            _PLACES.release()
            raise TimeoutError from None
        return found.result(max(0.0, deadline - time.monotonic()))
