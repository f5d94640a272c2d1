"""The address of the pages is told once they answer, and not before."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from botfactory.ops import announcement
from botfactory.ops.announcement import Announcement


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """Return a server that listens, but doesn't answer yet."""
    with HTTPServer(("127.0.0.1", 0), Pages) as server:
        yield server


def announce(server: HTTPServer, said: list[str]) -> Announcement:
    return Announcement("127.0.0.1", server.server_port, "ready", "late", said.append)


def test_the_address_is_told_once_whatever_proxy_the_environment_names(
    server: HTTPServer, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    announced = announce(server, said)
    answering = Thread(target=server.serve_forever)
    answering.start()
    try:
        for _ in range(2):
            announced.step()
    finally:
        server.shutdown()
        answering.join()
    assert said == ["ready"]


def test_pages_that_take_long_are_told_of_once_and_their_address_later(
    server: HTTPServer, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcement, "TIMEOUT", 0.05)
    announced = announce(server, said)
    announced.step()
    assert said == []
    announced.started -= announcement.PATIENCE
    for _ in range(2):
        announced.step()
    assert said == ["late"]
    answering = Thread(target=server.serve_forever)
    answering.start()
    try:
        monkeypatch.setattr(announcement, "TIMEOUT", 30.0)
        announced.step()
    finally:
        server.shutdown()
        answering.join()
    assert said == ["late", "ready"]


def test_what_does_not_speak_http_is_no_answer(said: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            with other.accept()[0] as line:
                line.recv(1000)
                line.sendall(b"SSH-2.0-x\r\n")

        answering = Thread(target=answer)
        answering.start()
        Announcement("127.0.0.1", other.getsockname()[1], "ready", "late", said.append).step()
        answering.join()
    assert said == []
