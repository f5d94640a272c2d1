"""How the outside is reached."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import certifi

Resolver = Callable[[str, int], Sequence[str]]
Connector = Callable[[str, int, float], socket.socket]


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
