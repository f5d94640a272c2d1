"""A line to a real server, with faults: what goes wrong between us and a network without either being at fault."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpx

from tests.fakes.server import Answer, FakeServer

#: The request never arrives; the server answers 502 or 429 in front of the network; the network accepts it, and the
#: answer is cut off, is 502, or comes too late. "killed before" and "killed after" call `kill` when a request is about
#: to arrive, or when it was accepted.
LineFault = Literal["cut", "502", "429", "lost answer", "accepted 502", "late answer", "killed before", "killed after"]
LINE_FAULTS: Final[tuple[LineFault, ...]] = (
    "cut",
    "502",
    "429",
    "lost answer",
    "accepted 502",
    "late answer",
    "killed before",
    "killed after",
)
#: Longer than a sender waits for an answer (publishing.networks.answers.PATIENCE).
TOO_LATE: Final = 12.0
_LEFT_OUT: Final = frozenset({"host", "connection", "content-length", "accept-encoding", "transfer-encoding"})


class FaultyLine(FakeServer):
    """Passes requests on to `target`. A request that publishes takes the next of `faults`."""

    def __init__(self, target: str, port: int = 0) -> None:
        super().__init__(port)
        self.target = target
        self.faults: list[LineFault] = []
        #: How many requests wanted to publish, and how often each fault came.
        self.count = 0
        self.came: Counter[str] = Counter()
        self.kill: Callable[[], None] = lambda: None
        # A kept connection may be closed by the other side just when it's used again.
        self._way = httpx.Client(base_url=target, timeout=30, limits=httpx.Limits(max_keepalive_connections=0))

    def answer(self, path: str, query: dict[str, str], headers: Any) -> Answer:
        raise NotImplementedError("it passes requests on")

    def _serve(self, handler: Any) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        fault = self._fault(handler.command, urlsplit(handler.path).path, body)
        if fault == "killed before":
            self.kill()
        if fault in ("cut", "killed before"):
            handler.close_connection = True
            return
        if fault in ("502", "429"):
            self._say(handler, int(fault), b"{}", {"Retry-After": "5"} if fault == "429" else {})
            return
        headers = {name: value for name, value in handler.headers.items() if name.lower() not in _LEFT_OUT}
        answer = self._way.request(handler.command, handler.path, headers=headers, content=body)
        if fault == "killed after":
            self.kill()
        if fault == "late answer":
            time.sleep(TOO_LATE)
        if fault in ("lost answer", "late answer", "killed after"):
            handler.close_connection = True
        elif fault == "accepted 502":
            self._say(handler, 502, b"Bad gateway", {})
        else:
            kind = answer.headers.get("content-type", "application/json")
            self._say(handler, answer.status_code, answer.content, {"Content-Type": kind})

    def _fault(self, method: str, path: str, body: bytes) -> LineFault | None:
        if not _publishes(method, path, body):
            return None
        with self._lock:
            self.count += 1
            if not self.faults:
                return None
            fault = self.faults.pop(0)
            self.came[fault] += 1
        return fault

    def _say(self, handler: Any, status: int, body: bytes, headers: dict[str, str]) -> None:
        try:
            handler.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)
        except ConnectionError:  # who asked was killed
            handler.close_connection = True


def _publishes(method: str, path: str, body: bytes) -> bool:
    if path == "/xrpc/com.atproto.repo.putRecord":
        return bool(json.loads(body)["collection"] == "app.bsky.feed.post")
    return (method, path) == ("POST", "/api/v1/statuses")
