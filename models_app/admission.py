"""Admission control for generation in this web process: a few requests run, a few wait, the rest must try again.

Pages, REST and streams all call `require_size` and then `enter` before they load or run a model. Generation takes a
full core, so running more at once only slows each one down.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from django.conf import settings

from botfactory.ops import counters
from botfactory.words import counted
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import BadSampling

#: How many requests can wait for each running one.
WAITING_FOR_EACH: Final = 4
#: The most characters per request: number of posts times maximum length.
MAX_CHARACTERS: Final = 40_000
#: Seconds between checks whether the client of a waiting request is still connected.
_LOOK: Final = 0.1
#: Assumed seconds per request until one has been measured.
_FIRST_GUESS: Final = 2.0
_SOONEST, _LATEST = 1, 60


class Busy(Exception):
    """Too many requests are running or waiting. `retry_after`: seconds."""

    code = "busy"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Busy. Try again in about {retry_after} s.")
        self.retry_after = retry_after


class TooMuch(BadSampling):
    """The request asks for too many characters. `param`: the field to change."""

    code = "too_much_at_once"
    param = "n"


class Ticket:
    """A slot to run in. The end of the `with` block or `release` frees it; further calls do nothing."""

    def __init__(self, turnstile: Turnstile) -> None:
        self._turnstile: Turnstile | None = turnstile
        self._since = time.monotonic()
        self._lock = threading.Lock()

    def release(self) -> None:
        with self._lock:
            turnstile, self._turnstile = self._turnstile, None
        if turnstile is not None:
            turnstile.leave(time.monotonic() - self._since)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Turnstile:
    """Lets GENERATIONS_AT_ONCE requests run at a time, first come, first served."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._waiting: deque[object] = deque()
        self._usual_seconds = _FIRST_GUESS

    def enter(self, proceed: Callable[[], None] | None = None) -> Ticket:
        """Return a ticket, now or within GENERATION_WAIT_SECONDS.

        Calls `proceed` while waiting; if it raises, the wait ends. Raises Busy if too many requests wait, or this one
        waits too long.
        """
        most, deadline = settings.GENERATIONS_AT_ONCE, time.monotonic() + settings.GENERATION_WAIT_SECONDS
        me = object()
        with self._changed:
            if self._waiting or self._inside >= most:
                if len(self._waiting) >= WAITING_FOR_EACH * most:
                    raise self._busy(most, len(self._waiting))
                self._waiting.append(me)
                try:
                    while self._waiting[0] is not me or self._inside >= most:
                        if proceed is not None:
                            proceed()
                        left = deadline - time.monotonic()
                        if left <= 0:
                            raise self._busy(most, self._waiting.index(me))
                        self._changed.wait(min(_LOOK, left))
                finally:
                    self._waiting.remove(me)
                    self._changed.notify_all()
            self._inside += 1
            counters.generations_running.set(self._inside)
        return Ticket(self)

    def leave(self, seconds: float) -> None:
        with self._changed:
            self._inside -= 1
            counters.generations_running.set(self._inside)
            self._usual_seconds += 0.2 * (seconds - self._usual_seconds)
            self._changed.notify_all()

    def _busy(self, most: int, waiting: int) -> Busy:
        """Count a rejection and return it with the estimated seconds until the requests ahead are done."""
        counters.generations_refused.inc()
        seconds = math.ceil((self._inside + waiting) * self._usual_seconds / most)
        return Busy(max(_SOONEST, min(_LATEST, seconds)))


_turnstile: Final = Turnstile()


def enter(proceed: Callable[[], None] | None = None) -> Ticket:
    """Return a ticket of this process's turnstile; see Turnstile.enter."""
    return _turnstile.enter(proceed)


def require_size(sampling: SamplingConfig) -> None:
    """Raise TooMuch if the request asks for more than MAX_CHARACTERS."""
    asked = sampling.posts_to_write * sampling.max_characters
    if asked > MAX_CHARACTERS:
        posts, length = MAX_CHARACTERS // sampling.max_characters, MAX_CHARACTERS // sampling.posts_to_write
        longest = counted(sampling.max_characters, "character")
        raise TooMuch(
            f"{counted(sampling.count, 'post')} of up to {longest} are {counted(asked, 'character')}. One request can "
            f"ask for {MAX_CHARACTERS:,}. Choose at most {counted(posts, 'post')} of this length, or at most "
            f"{counted(length, 'character')} for each post."
        )
