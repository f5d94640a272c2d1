"""Who may let a model compute in this web process now: a few at once, a few more wait a moment, the others come back.

Pages, REST and streams all pass through `enter` before a model is loaded or writes, and through `require_size` before
that. Writing takes a core, so more of it at once makes each slower and none faster.
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

#: How many requests may wait for each that computes.
WAITING_FOR_EACH: Final = 4
#: The most characters that one request may ask for: posts times the longest post.
MAX_CHARACTERS: Final = 40_000
#: Seconds between two looks at whether the client of a waiting request is still there.
_LOOK: Final = 0.1
#: What a request takes until one has been measured.
_FIRST_GUESS: Final = 2.0
_SOONEST, _LATEST = 1, 60


class Busy(Exception):
    """Too many requests compute or wait already. `retry_after`: seconds."""

    code = "busy"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Busy. Try again in about {retry_after} s.")
        self.retry_after = retry_after


class TooMuch(BadSampling):
    """More characters than one request may ask for. `param`: the field to change."""

    code = "too_much_at_once"
    param = "n"


class Ticket:
    """A place among those that compute. Leaving the `with` block, or `release`, gives it back; once is enough."""

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
    """Lets GENERATIONS_AT_ONCE in at a time, in the order in which they came."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._waiting: deque[object] = deque()
        self._usual_seconds = _FIRST_GUESS

    def enter(self, proceed: Callable[[], None] | None = None) -> Ticket:
        """Return a ticket, now or within GENERATION_WAIT_SECONDS.

        `proceed` is called while waiting; what it raises ends the wait. Raises Busy when too many wait, or for too
        long.
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
        """Count a refusal, and return it with the seconds until those inside and so many that wait are likely done."""
        counters.generations_refused.inc()
        seconds = math.ceil((self._inside + waiting) * self._usual_seconds / most)
        return Busy(max(_SOONEST, min(_LATEST, seconds)))


_turnstile: Final = Turnstile()


def enter(proceed: Callable[[], None] | None = None) -> Ticket:
    """Return this process's permission to compute; see Turnstile.enter."""
    return _turnstile.enter(proceed)


def require_size(sampling: SamplingConfig) -> None:
    """Raise TooMuch for more characters than one request may ask for."""
    asked = sampling.posts_to_write * sampling.max_characters
    if asked > MAX_CHARACTERS:
        posts, length = MAX_CHARACTERS // sampling.max_characters, MAX_CHARACTERS // sampling.posts_to_write
        longest = counted(sampling.max_characters, "character")
        raise TooMuch(
            f"{counted(sampling.count, 'post')} of up to {longest} are {counted(asked, 'character')}. One request can "
            f"ask for {MAX_CHARACTERS:,}. Choose at most {counted(posts, 'post')} of this length, or at most "
            f"{counted(length, 'character')} for each post."
        )
