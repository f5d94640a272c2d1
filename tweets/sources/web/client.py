"""Requests of sources to servers on the internet. Whatever goes wrong is a SourceError."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from botfactory import net
from botfactory.net import Answer, Patience, Wire
from botfactory.words.translatable import mark
from tweets.sources.base import (
    BadAnswer,
    RefusedAddress,
    SourceError,
    SourceSettings,
    SourceUnavailable,
    UnknownServer,
)
from tweets.sources.registry import networks

_SENT: Final = {
    "Accept": "application/json",
    "User-Agent": "BotFactory/0.1 (imports posts when a person asks for it)",
}
_ERRORS: Final[dict[type[net.NetError], type[SourceError]]] = {
    net.Refused: RefusedAddress,
    net.Unavailable: SourceUnavailable,
    net.BadAnswer: BadAnswer,
}


class Client:
    """Fetch over HTTPS from the public internet, and from the origins in `trusted`, wherever they are."""

    def __init__(self, settings: SourceSettings, *, trusted: Iterable[str] = (), wire: Wire | None = None) -> None:
        self._patience = Patience(settings.timeout_seconds, settings.total_seconds, settings.max_answer_bytes)
        origins = (*settings.private_servers, *trusted)
        self._wire = wire or Wire()
        self._client = net.Client(self._patience, trusted=origins, wire=self._wire)
        #: Servers that the operator has set, so nobody who imports posts can have misspelled them.
        self._of_operator = {_host_of(origin) for origin in origins}

    def get(self, url: str) -> Answer:
        """Return the answer to a GET, with redirects followed. No cookie and no secret is ever sent.

        Raises RefusedAddress, UnknownServer and BadAnswer if another try wouldn't help, and SourceUnavailable if the
        server doesn't answer, answers too late, or sends more than `max_answer_bytes`.
        """
        deadline = time.monotonic() + self._patience.total_seconds
        try:
            return self._client.get(url, _SENT)
        except net.UnknownHost as trouble:
            error = self._not_found(trouble, url, deadline)
        except net.NetError as trouble:
            error = _ERRORS[type(trouble)](trouble.message)
        # Outside of `except`, so that the error has no context.
        raise error

    def _not_found(self, trouble: net.UnknownHost, url: str, deadline: float) -> SourceError:
        """Return why no server of this name was found: the network, the operator's settings, or a misspelling."""
        host = trouble.host
        is_of_operator = host in self._of_operator
        if (
            trouble.is_possible
            and (host in _known_servers() or not is_of_operator)
            and not self._finds_names(deadline, besides=host)
        ):
            return SourceUnavailable(
                mark(
                    "This machine can’t look up names on the internet at the moment. If that doesn’t change, ask the "
                    "administrator to check its network."
                )
            )
        if is_of_operator:
            return SourceUnavailable(
                mark(
                    "Bot Factory is set up to use the server %(server)s, but can’t find it. If that doesn’t change, "
                    "ask the administrator to check its address in the settings."
                ),
                server=host,
            )
        asked = _host_of(url)
        if host != asked:
            return BadAnswer(
                mark("%(server)s redirects to %(other)s, and there is no such server."), server=asked, other=host
            )
        return UnknownServer(trouble.message)

    def _finds_names(self, deadline: float, *, besides: str) -> bool:
        for name in _known_servers():
            # A missing name is quickly found out. Other failures say nothing about the name.
            with contextlib.suppress(OSError):
                left = min(self._patience.timeout_seconds, deadline - time.monotonic())
                if name != besides and self._wire.addresses(name, 443, seconds=left):
                    return True
        return False


def _known_servers() -> list[str]:
    """Return names that exist as long as the networks do. A machine that finds none of them can't look up any name."""
    return [kind.known_server for kind in networks().values() if kind.known_server]


def _host_of(url: str) -> str:
    """Return the host of an address, as DNS spells it."""
    return urlsplit(net.origin_of(url)).hostname or ""
