"""A server that answers in JSON, asked with patience: short trouble is waited out, a rate limit says until when."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from botfactory.retry_after import moment_of
from tweets.sources.base import RateLimited, SourceSettings, SourceUnavailable, storable
from tweets.sources.web.client import Client

_SHORTEST_WAIT = timedelta(seconds=5)  # also for a server that says "now" again and again
_LONGEST_WAIT = timedelta(hours=24)
_RESET_NAMES = ("retry-after", "ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status below 500. `data` is None for one that is not JSON."""

    status: int
    data: Any


class JsonApi:
    """The API at the address `base`; `name` is what the person calls it."""

    def __init__(self, name: str, base: str, settings: SourceSettings, client: Client) -> None:
        self._name = name
        self._base = base.rstrip("/")
        self._settings = settings
        self._client = client

    def ask(self, path: str, **query: str | int | None) -> Reply:
        """The reply to one request; what is None in the query is left out.

        Raises RateLimited where the server asks for a pause, SourceUnavailable when it does not answer, after some
        tries, and whatever the client refuses.
        """
        asked = {name: value for name, value in query.items() if value is not None}
        url = f"{self._base}{path}" + (f"?{urlencode(asked)}" if asked else "")
        for delay in (*self._settings.retry_delays, None):
            try:
                answer = self._client.get(url)
            except SourceUnavailable as error:
                trouble = SourceUnavailable(self._told(error.message))
            else:
                if answer.status == 429:
                    moment = retry_at(answer.headers, window=timedelta(minutes=5))
                    raise RateLimited(pause_sentence(self._name, moment), moment)
                if answer.status < 500:
                    return Reply(answer.status, _read(answer.body))
                trouble = SourceUnavailable(
                    f"{self._name} has trouble of its own ({answer.status}). Nothing that was read is lost; try again "
                    "in a few minutes."
                )
            if delay is None:
                raise trouble
            time.sleep(delay)
        raise AssertionError("unreachable: the last attempt raises or returns")

    def _told(self, trouble: str) -> str:
        """The sentence, with the name of what was asked: the address of its API is nothing that people know."""
        return trouble if self._name in trouble else f"{self._name} can't be reached. {trouble}"


def pause_sentence(name: str, moment: datetime) -> str:
    return f"{name} asks us to wait until {moment:%H:%M} UTC; the import goes on by itself."


def retry_at(headers: Mapping[str, str], *, window: timedelta) -> datetime:
    """When a server that has had enough wants to be asked again, after `window` where it does not say."""
    now = datetime.now(UTC)
    for name in _RESET_NAMES:
        moment = moment_of(headers.get(name, ""), now)
        if moment is not None:
            return min(max(moment, now + _SHORTEST_WAIT), now + _LONGEST_WAIT)
    return now + window


def text_in(record: Any, name: str) -> str:
    """The text in a field of an object, "" where there is none; any database keeps it."""
    value = record.get(name) if isinstance(record, Mapping) else None
    return storable(value) if isinstance(value, str) else ""


def count_in(record: Any, name: str) -> int | None:
    """The number in a field of an object, None where there is no sensible one."""
    value = record.get(name) if isinstance(record, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
