"""Requests to a network's API, and what its answers mean for us. One request each: nothing is tried twice here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from botfactory import net
from botfactory.outages.retry_after import moment_of
from botfactory.words.translatable import Sentence, mark
from publishing.networks.base import Later, NotAccepted, Unclear

#: For each request of a sender: a post waits until one has an answer, and a person waits while connecting an account.
PATIENCE: Final = net.Patience(timeout_seconds=10.0, total_seconds=20.0, max_answer_bytes=4_000_000)
_SHORTEST_PAUSE: Final = timedelta(seconds=5)
_DEFAULT_PAUSE: Final = timedelta(minutes=5)
_LONGEST_PAUSE: Final = timedelta(hours=24)
_PAUSES: Final = ("retry-after", "ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")
#: X has limits for a day beside those for a quarter of an hour.
_DAYS: Final = ("x-user-limit-24hour", "x-app-limit-24hour")
USER_AGENT: Final = "BotFactory/0.1 (posts of a bot)"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status below 500. `data` is None if it isn't JSON."""

    status: int
    data: Any


class Api:
    """The API of a server, which people call `name`. `token`: sent with each request, if there is one."""

    def __init__(self, client: net.Client, server: str, *, name: str) -> None:
        self._client, self._server, self._name = client, server.rstrip("/"), name

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Return the reply to one request.

        Raises Later for a rate limit, NotAccepted for an address that we don't connect to, and Unclear for everything
        that leaves open what the server did.
        """
        url = f"{self._server}{path}" + (f"?{urlencode(query)}" if query else "")
        sent = {"Accept": "application/json", "User-Agent": USER_AGENT, **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = json.dumps(body, ensure_ascii=False).encode()
        elif form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            data = urlencode(form).encode()
        elif method == "POST":
            data = b""
        error: Exception
        try:
            answer = self._client.ask(method, url, sent, data)
        except net.Refused as refusal:
            error = NotAccepted(refusal.message)
        except net.NetError as trouble:
            error = Unclear(trouble.message)
        else:
            if answer.status == 429:
                raise later(self._name, answer.headers)
            if answer.status >= 500 or 300 <= answer.status < 400:
                said = mark("%(name)s is having problems (%(status)s).")
                raise Unclear(Sentence(said, name=self._name, status=str(answer.status)))
            return Reply(answer.status, _json(answer.body))
        # Outside of `except`, so that the error has no context, which might show a secret.
        raise error


def later(name: str, headers: Mapping[str, str]) -> Later:
    """Return the error for an answer 429, with the pause that its headers ask for."""
    now = datetime.now(UTC)
    used_up = [day for day in _DAYS if headers.get(f"{day}-remaining") == "0"]
    names = [*(f"{day}-reset" for day in used_up), *_PAUSES]
    asked = (moment_of(headers.get(header, ""), now) for header in names)
    at = next((moment for moment in asked if moment is not None), now + _DEFAULT_PAUSE)
    at = min(max(at, now + _SHORTEST_PAUSE), now + _LONGEST_PAUSE)
    return Later(Sentence(mark("%(name)s asks us to wait until %(time)s UTC."), name=name, time=f"{at:%H:%M}"), at)


def server_in(text: str) -> str:
    """Return the origin of a server that somebody typed, such as "https://example.social". Raises ValueError."""
    text = text.strip()
    parts = urlsplit(text if "://" in text else f"https://{text}")
    if not parts.hostname or parts.username or parts.scheme not in ("https", "http"):
        raise ValueError(mark("Enter the address of the server, such as https://example.social."))
    return f"{parts.scheme}://{parts.netloc.lower()}"


def refused(name: str, reply: Reply, message: str) -> NotAccepted:
    """Return the error for a clear refusal, with the server's own words, cut short."""
    words = " ".join(message.split())[:200]
    if not words:
        return NotAccepted(Sentence(mark("%(name)s refused it (%(status)s)."), name=name, status=str(reply.status)))
    return NotAccepted(Sentence(mark("%(name)s refused it: %(words)s"), name=name, words=words))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
