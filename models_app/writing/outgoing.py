"""What a writer sends: events for those who wait, and that requests have ended. A thread sends them, in their order."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import defaultdict
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

from redis.exceptions import RedisError

from models_app.writing.board import Board, client
from models_app.writing.requests import Event, Request

logger = logging.getLogger(__name__)

#: Seconds to try again for at the end, without a broker.
PATIENCE: Final = 5.0
_PAUSE: Final = 0.5


class Outgoing:
    """Call `start` once, and `close` at the end. The rest returns at once."""

    def __init__(self, writer: str, prefix: str) -> None:
        """`prefix`: of the board."""
        self._writer, self._prefix = writer, prefix
        self._items: SimpleQueue[tuple[Request, Event | None] | None] = SimpleQueue()
        self._gives_up_at = math.inf
        self._thread = threading.Thread(target=self._send, name="outgoing", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def tell(self, request: Request, event: Event) -> None:
        """Send the event to the process that waits for the request."""
        self._items.put((request, event))

    def end(self, request: Request) -> None:
        """The request is done with, after what was told before."""
        self._items.put((request, None))

    def close(self) -> None:
        """Send what there is, for a few seconds at most."""
        self._gives_up_at = time.monotonic() + PATIENCE
        self._items.put(None)
        self._thread.join(PATIENCE)

    def _send(self) -> None:
        """Send what there is, in its order, until there is None."""
        board = Board(client(), self._prefix)
        is_over = False
        while not is_over:
            items = self._waiting()
            is_over = None in items
            told: dict[str, list[Event]] = defaultdict(list)
            ended: list[Request] = []
            for request, event in filter(None, items):
                if event is None:
                    ended.append(request)
                else:
                    told[request.answers].append(event)
            self._sent(board, told, ended)

    def _waiting(self) -> list[tuple[Request, Event | None] | None]:
        """Return all that waits, as soon as there is anything."""
        items = [self._items.get()]
        with suppress(Empty):
            while True:
                items.append(self._items.get_nowait())
        return items

    def _sent(self, board: Board, told: dict[str, list[Event]], ended: list[Request]) -> None:
        """Send the events, then remove the requests; without a broker try again until the end.

        Meanwhile, the writer can take no more than it holds, so there's only so much to send.
        """
        while told or ended:
            try:
                if told:
                    board.send(told)
                told = {}
                while ended:
                    board.finish(self._writer, ended[-1])
                    ended.pop()
            except (RedisError, OSError) as error:
                logger.warning("what was written can't be sent: %s", error)
                if time.monotonic() > self._gives_up_at:
                    return
                time.sleep(_PAUSE)
