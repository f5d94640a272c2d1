"""An ASGI application behind the product's server in this process, and a connection to send it bytes by hand."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botfactory.edge.connections import Bounds
from botfactory.edge.server import Listener, server


@contextmanager
def served(application: Any, bounds: Bounds | None = None) -> Iterator[int]:
    """Serve the application on all addresses of this machine and yield its port."""
    pages = server(application, bounds or Bounds(most=500, by_address=500))
    with Listener("0.0.0.0", 0) as listener:
        thread = threading.Thread(target=pages.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            pages.should_exit = pages.force_exit = True
            thread.join(30)


_NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)["error"]
        return found


class Line:
    """One connection, from any address of this machine."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0))

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def begin(self, path: str, length: int | None, headers: Mapping[str, str] = _NONE, *, start: bytes = b"") -> None:
        """Return the head of a POST with the start of its body. Without a length, the body is chunked."""
        framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", framing]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + start)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_chunk(self, data: bytes) -> None:
        self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def reply(self) -> Reply:
        """Read until the other side closes."""
        received = b""
        while block := self.socket.recv(1 << 16):
            received += block
        head, _, body = received.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
        if headers.get("transfer-encoding") == "chunked":
            body = _unchunked(body)
        return Reply(int(first.split()[1]), headers, body)


def _unchunked(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        body, data = body + rest[:length], rest[length + 2 :]
        if length == 0:
            break
    return body


def wait_until(what: str, condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.01)
