"""A local server that stands in for a network and remembers its requests."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """One request that the server saw."""

    path: str
    query: dict[str, str]
    status: int
    whole: bool = True  # False: the answer was cut
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Answer:
    """`body` is sent as JSON, unless it is text or bytes. Status 0: the line is closed without an answer."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    #: Seconds after each tenth of the body.
    pause: float = 0.0


class FakeServer(ABC):
    """Answers GET, POST, PATCH and DELETE with `answer`, by default on a free port.

    `requests` lists the requests in order.
    """

    def __init__(self, port: int = 0, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self._done: Counter[str] = Counter()
        self._lock = threading.RLock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else the body waits 40 ms for the headers to be acknowledged

            def do_GET(self) -> None:
                server._serve(self)

            def do_POST(self) -> None:
                server._serve(self)

            def do_PATCH(self) -> None:
                server._serve(self)

            def do_DELETE(self) -> None:
                server._serve(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self.port: int = self._http.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    def serve_forever(self) -> None:
        """Answers until interrupted."""
        self._http.serve_forever()

    @abstractmethod
    def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        """Return the network's answer to this request."""

    def once(self, event: str) -> bool:
        """Return True the first time it is called for an event."""
        with self._lock:
            self._done[event] += 1
            return self._done[event] == 1

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        sent = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(int(sent.get("content-length", 0)))
        answer = self.answer(parts.path, query, sent)
        with self._lock:
            self.requests.append(Request(parts.path, query, answer.status, not answer.cut, sent, body))
        if not answer.status:
            handler.close_connection = True
            return
        kind = "application/json; charset=utf-8"
        if isinstance(answer.body, bytes | str):
            kind = "text/html"
            data = answer.body.encode() if isinstance(answer.body, str) else answer.body
        else:
            data = json.dumps(answer.body).encode()
        handler.send_response(answer.status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **answer.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        data = data[: len(data) // 2] if answer.cut else data
        step = max(1, len(data) // 10 if answer.pause else len(data))
        with contextlib.suppress(ConnectionError):  # who asked has left
            for place in range(0, len(data), step):
                handler.wfile.write(data[place : place + step])
                time.sleep(answer.pause)
        handler.close_connection = answer.cut or handler.close_connection


class Replay(FakeServer):
    """Gives its answers in order, whatever the request, and then repeats the last one."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__()
        self.left = list(answers)

    def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]
