"""Requests to a server that answers in JSON. Short failures are retried; a rate limit says when to come back."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from botfactory.outages.retry_after import moment_of
from botfactory.words.translatable import Sentence, mark
from tweets.sources.base import RateLimited, SourceSettings, SourceUnavailable, storable
from tweets.sources.web.client import Client

_SHORTEST_WAIT = timedelta(seconds=5)  # also if a server says "now" again and again
_LONGEST_WAIT = timedelta(hours=24)
_RESET_NAMES = ("retry-after", "ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status below 500. `data` is None if it isn't JSON."""

    status: int
    data: Any


class JsonApi:
    """The API at the address `base`. `name` is what people call it."""

    def __init__(self, name: str, base: str, settings: SourceSettings, client: Client) -> None:
        self._name = name
        self._base = base.rstrip("/")
        self._settings = settings
        self._client = client

    def ask(self, path: str, **query: str | int | None) -> Reply:
        """Return the reply to one request. Values in the query that are None are left out.

        Raises RateLimited if the server asks for a pause, SourceUnavailable if it doesn't answer after some tries, and
        the errors of the client.
        """
        asked = {name: value for name, value in query.items() if value is not None}
        url = f"{self._base}{path}" + (f"?{urlencode(asked)}" if asked else "")
        for delay in (*self._settings.retry_delays, None):
            try:
                answer = self._client.get(url)
            except SourceUnavailable as error:
                trouble = self._named(error)
            else:
                if answer.status == 429:
                    moment = retry_at(answer.headers, window=timedelta(minutes=5))
                    raise RateLimited(pause_sentence(self._name, moment), moment)
                if answer.status < 500:
                    return Reply(answer.status, _read(answer.body))
                trouble = SourceUnavailable(
                    mark(
                        "%(server)s is having problems (%(status)s). Everything read so far is kept. Try again "
                        "in a few minutes."
                    ),
                    server=self._name,
                    status=str(answer.status),
                )
            if delay is None:
                raise trouble
            time.sleep(delay)
        raise AssertionError("unreachable: the last attempt raises or returns")

    def _named(self, error: SourceUnavailable) -> SourceUnavailable:
        """Return the error with the name of the network, because people don't know the address of its API."""
        if self._name in error.message:
            return SourceUnavailable(error.message)
        said = mark("%(server)s can’t be reached. %(reason)s")
        return SourceUnavailable(said, server=self._name, reason=error.message)


def pause_sentence(name: str, moment: datetime) -> Sentence:
    """Return what the person reads when a server asks for a pause."""
    said = mark("%(server)s asks us to wait until %(time)s UTC. Then the import continues by itself.")
    return Sentence(said, server=name, time=f"{moment:%H:%M}")


def retry_at(headers: Mapping[str, str], *, window: timedelta) -> datetime:
    """Return when the server wants to be asked again. If it doesn't say, that is after `window`."""
    now = datetime.now(UTC)
    for name in _RESET_NAMES:
        moment = moment_of(headers.get(name, ""), now)
        if moment is not None:
            return min(max(moment, now + _SHORTEST_WAIT), now + _LONGEST_WAIT)
    return now + window


def text_in(record: Any, name: str) -> str:
    """Return the text in a field of an object, or "". Every database can store it."""
    value = record.get(name) if isinstance(record, Mapping) else None
    return storable(value) if isinstance(value, str) else ""


def count_in(record: Any, name: str) -> int | None:
    """Return the number in a field of an object, or None if there is no sensible one."""
    value = record.get(name) if isinstance(record, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
