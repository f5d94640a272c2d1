"""Our own internet for requests: names, addresses, servers with and without TLS."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import trustme

from botfactory.net import Wire
from tests.fakes.server import Answer, FakeServer
from tweets.sources.base import (
    SourceSettings,
)

PUBLIC = "93.184.216.34"
PUBLIC_6 = "2606:2800:220:1:248:1893:25c8:1946"
FINE = Answer(200, {"fine": True})


class Network:
    """Our own internet: names resolve to addresses, and each connection is recorded and goes to a local server."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, **names: list[str] | list[list[str]]) -> None:
        self._names = {name.replace("_", "."): addresses for name, addresses in names.items()}
        self.resolved: list[str] = []
        self.connected: list[tuple[str, int]] = []
        self.port = 0
        self._tls = tls or ssl.create_default_context()

    def wire(self) -> Wire:
        return Wire(resolve=self._resolve, connect=self._connect, tls=lambda: self._tls)

    def _resolve(self, host: str, port: int) -> list[str]:
        self.resolved.append(host)
        found: Any = self._names.get(host)
        if found is None:
            try:
                return [str(ipaddress.ip_address(host))]
            except ValueError:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        if found and isinstance(found[0], list):  # another answer each time
            return list(found.pop(0) if len(found) > 1 else found[0])
        return list(found)

    def _connect(self, address: str, port: int, timeout: float) -> socket.socket:
        self.connected.append((address, port))
        return socket.create_connection(("127.0.0.1", self.port), timeout)


def serving(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def settings(**options: Any) -> SourceSettings:
    return SourceSettings(**{"timeout_seconds": 5.0, "total_seconds": 10.0, **options})


class SecureServer(FakeServer):
    """Answers over HTTPS by path."""

    def __init__(self, tls: ssl.SSLContext, answers: Mapping[str, Answer] | None = None) -> None:
        super().__init__(tls=tls)
        self.answers = answers or {}

    def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        return self.answers.get(path, FINE)


def moved(where: str, status: int = 302) -> Answer:
    return Answer(status, "", {"Location": where})


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does something arbitrary with a connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_served, args=(serve, line), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _served(serve: Callable[[socket.socket], None], line: socket.socket) -> None:
    try:
        with line:
            line.recv(4096)
            serve(line)
    except OSError:  # the client has gone
        pass
