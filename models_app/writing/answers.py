"""What this process hears from writers: one thread listens for all who wait here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Final

from redis.exceptions import RedisError

from models_app.writing.board import PRESENCE, Board, client
from models_app.writing.requests import Event

logger = logging.getLogger(__name__)

#: Seconds to wait for news at most, so that the process can say that it's there.
_WAIT: Final = 1.0
_PAUSE: Final = 0.5


class Inbox:
    """The events of one request. A thread waits with `get`, a coroutine with `wait`."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._changed = threading.Condition()
        self._wake: Callable[[], object] = lambda: None

    def put(self, event: Event) -> None:
        with self._changed:
            if event["kind"] == "beginnings":
                # Only the newest count. Somebody who reads slowly would leave many here.
                self._events = deque(each for each in self._events if each["kind"] != "beginnings")
            self._events.append(event)
            self._changed.notify()
            # The loop may have ended with whoever waited.
            with contextlib.suppress(RuntimeError):
                self._wake()

    def get(self, seconds: float) -> Event | None:
        """Return the next event, or None if none comes within `seconds`."""
        with self._changed:
            if not self._events:
                self._changed.wait(seconds)
            return self._events.popleft() if self._events else None

    async def wait(self, seconds: float) -> Event | None:
        """Return the next event, or None if none comes within `seconds`."""
        loop, rung = asyncio.get_running_loop(), asyncio.Event()
        with self._changed:
            if self._events:
                return self._events.popleft()
            self._wake = lambda: loop.call_soon_threadsafe(rung.set)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await rung.wait()
        finally:
            with self._changed:
                self._wake = lambda: None
        with self._changed:
            return self._events.popleft() if self._events else None


class Listener:
    """Hands what arrives for this process to the inboxes of its requests."""

    def __init__(self) -> None:
        self.process = uuid.uuid4().hex
        self.pid = os.getpid()
        self._inboxes: dict[str, Inbox] = {}
        self._is_present = threading.Event()
        threading.Thread(target=self._listen, name="answers of writers", daemon=True).start()

    def open(self, request: str) -> Inbox:
        """Return an inbox for a request that is about to be sent."""
        # Writers ignore a process that hasn't said that it's there.
        self._is_present.wait(_WAIT)
        return self._inboxes.setdefault(request, Inbox())

    def close(self, request: str) -> None:
        self._inboxes.pop(request, None)

    def _listen(self) -> None:
        board = Board(client(waits=True))
        told_at, is_deaf = 0.0, False
        while True:
            try:
                if time.monotonic() - told_at > PRESENCE / 4:
                    board.present(self.process)
                    told_at = time.monotonic()
                    self._is_present.set()
                for event in board.answers(self.process, _WAIT):
                    inbox = self._inboxes.get(event["request"])
                    if inbox is not None:
                        inbox.put(event)
                is_deaf = False
            except (RedisError, OSError) as error:
                if not is_deaf:
                    logger.warning("no answers of writers can be heard: %s", error)
                told_at, is_deaf = 0.0, True
                time.sleep(_PAUSE)


_lock = threading.Lock()
_listener: Listener | None = None


def listener() -> Listener:
    """Return the listener of this process, started when it's first needed."""
    global _listener
    with _lock:
        if _listener is None or _listener.pid != os.getpid():
            _listener = Listener()
        return _listener
