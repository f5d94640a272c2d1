"""Admission: a request waits for a few seconds at most, so what would wait longer must try again.

The bound holds for all web processes together, and is computed from the pace that the writers have measured.
"""

from __future__ import annotations

import math
import threading
import time
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from botfactory.broker import doorbell
from botfactory.ops import counters
from botfactory.words.translation import grouped
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import BadSampling
from models_app.writing.board import Board, Bounds
from models_app.writing.requests import Facts, Request

#: The most characters per request: number of posts and maximum length multiplied.
MAX_CHARACTERS: Final = 40_000
#: The most requests that wait or are written: each costs the web process a thread.
MAX_REQUESTS: Final = 200
#: How long an answer to "who writes?" is used again, in seconds.
_FRESH: Final = 0.5
_SOONEST, _LATEST = 1, 60


class NotNow(Exception):
    """Nothing can be written now; the same request may succeed later. `retry_after`: in how many seconds."""

    code = "not_now"
    retry_after = 10


class Busy(NotNow):
    """Too much is being written."""

    code = "busy"

    def __init__(self, retry_after: int) -> None:
        super().__init__(_("Busy. Try again in about %(seconds)s s.") % {"seconds": retry_after})
        self.retry_after = retry_after


class WriterMissing(NotNow):
    """No writer runs, or none can be reached."""

    code = "writer_missing"

    def __init__(self) -> None:
        super().__init__(_("The writer isn’t running, so no bot can write. Try again in a moment."))


class WritingInterrupted(NotNow):
    """The writer stopped several times while writing this."""

    code = "writing_interrupted"

    def __init__(self) -> None:
        super().__init__(_("The writer stopped several times while writing this. Ask for fewer or shorter posts."))


class TookTooLong(NotNow):
    """A writer hasn't finished in the longest time that a request may take."""

    code = "took_too_long"

    def __init__(self) -> None:
        super().__init__(_("This took longer than ten minutes. Ask for fewer or shorter posts."))


class TooMuch(BadSampling):
    """The request asks for too many characters. `param`: the field to change."""

    code = "too_much_at_once"
    param = "n"


class Writers:
    """Those who write now, as they were a moment ago."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Facts] = {}
        self._asked_at = -math.inf

    def known(self, board: Board) -> dict[str, Facts]:
        """Return what each writer says of itself, by id. Raises RedisError, BrokerHangs."""
        # The broker may have hung for whoever was here before.
        with self._lock, doorbell.waiting():
            if time.monotonic() - self._asked_at > _FRESH:
                self._known = board.writers()
                self._asked_at = time.monotonic()
            return self._known

    def forget(self) -> None:
        """Ask the board again next time."""
        with self._lock:
            self._asked_at = -math.inf


writers: Final = Writers()


def weight_of(board: Board, characters: float, tier: str) -> int:
    """Return the milliseconds that all writers together need for these characters at their current pace.

    Raises WriterMissing, RedisError, BrokerHangs.
    """
    # A writer of an earlier version doesn't say.
    rate = sum(facts.get("rates", {}).get(tier, 0.0) for facts in writers.known(board).values())
    if rate <= 0:
        writers.forget()
        raise WriterMissing
    return math.ceil(1000 * characters / rate)


def admit(board: Board, request: Request) -> None:
    """Put the request into the queue. Raises Busy, RedisError, BrokerHangs."""
    bounds = Bounds(
        weight=1000 * settings.GENERATION_WAIT_SECONDS,
        slots=sum(facts["threads"] for facts in writers.known(board).values()),
        requests=MAX_REQUESTS,
    )
    is_in, ahead = board.admit(request, bounds)
    if not is_in:
        counters.generations_refused.inc()
        raise Busy(max(_SOONEST, min(_LATEST, math.ceil(ahead / 1000))))


def require_size(sampling: SamplingConfig) -> None:
    """Raise TooMuch if the request asks for more than MAX_CHARACTERS."""
    asked = sampling.posts_to_write * sampling.max_characters
    if asked > MAX_CHARACTERS:
        posts = MAX_CHARACTERS // sampling.max_characters
        length = MAX_CHARACTERS // sampling.posts_to_write
        message = ngettext(
            "You asked for %(asked)s characters, but one request can have at most %(most)s. Ask for at most %(posts)s "
            "post of this length, or for posts of at most %(length)s characters.",
            "You asked for %(asked)s characters, but one request can have at most %(most)s. Ask for at most %(posts)s "
            "posts of this length, or for posts of at most %(length)s characters.",
            posts,
        )
        numbers = {"asked": asked, "most": MAX_CHARACTERS, "posts": posts, "length": length}
        sentence = message % {name: grouped(number) for name, number in numbers.items()}
        raise TooMuch(sentence)
