"""What a source asks of servers on the internet, and their answers; what goes wrong is the source's error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from botfactory import net
from botfactory.net import Answer, Patience, Wire
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
    "User-Agent": "BotFactory/0.1 (brings a person's posts when they ask for it)",
}
_ERRORS: Final[dict[type[net.NetError], type[SourceError]]] = {
    net.Refused: RefusedAddress,
    net.Unavailable: SourceUnavailable,
    net.BadAnswer: BadAnswer,
}


class Client:
    """Fetches over HTTPS from the public internet; from the origins in `trusted`, wherever and however they are."""

    def __init__(self, settings: SourceSettings, *, trusted: Iterable[str] = (), wire: Wire | None = None) -> None:
        patience = Patience(settings.timeout_seconds, settings.total_seconds, settings.max_answer_bytes)
        origins = (*settings.private_servers, *trusted)
        self._wire = wire or Wire()
        self._client = net.Client(patience, trusted=origins, wire=self._wire)
        #: Whom the operator has named: nobody who brings posts can have misspelled these.
        self._of_operator = {_host_of(origin) for origin in origins}

    def get(self, url: str) -> Answer:
        """The answer to a GET, redirects followed; no cookie and no secret is ever sent.

        Raises RefusedAddress, UnknownServer and BadAnswer for what another try would not change, SourceUnavailable for
        a server that does not answer, not in time, or with more than `max_answer_bytes`.
        """
        try:
            return self._client.get(url, _SENT)
        except net.UnknownHost as trouble:
            error = self._not_found(trouble, url)
        except net.NetError as trouble:
            error = _ERRORS[type(trouble)](trouble.message)
        # Outside of `except`, so that the sentence is all that is left of it.
        raise error

    def _not_found(self, trouble: net.UnknownHost, url: str) -> SourceError:
        """Whose fault it is that there is no server of this name: the network's, the operator's, or a misspelling."""
        host = trouble.host
        is_of_operator = host in self._of_operator
        if (
            trouble.is_possible
            and (host in _known_servers() or not is_of_operator)
            and not self._finds_names(besides=host)
        ):
            return SourceUnavailable(
                "This machine can't look up names on the internet at the moment. If that stays so, ask the "
                "administrator to check its network."
            )
        if is_of_operator:
            return SourceUnavailable(
                f"The server {host} can't be found, which Bot Factory is set up to ask. If that stays so, ask the "
                "administrator to check its address in the settings."
            )
        asked = _host_of(url)
        if host != asked:
            return BadAnswer(f"{asked} sends us on to {host}, and there is no such server.")
        return UnknownServer(trouble.message)

    def _finds_names(self, *, besides: str) -> bool:
        for name in _known_servers():
            # Finding out that there is no such name takes no time; another failure says nothing against the name.
            with contextlib.suppress(OSError):
                if name != besides and self._wire.resolve(name, 443):
                    return True
        return False


def _known_servers() -> list[str]:
    """Return names that exist as long as the networks do. A machine that finds none of them can't look up any name."""
    return [kind.known_server for kind in networks().values() if kind.known_server]


def _host_of(url: str) -> str:
    """The host of an address, as DNS knows it."""
    return urlsplit(net.origin_of(url)).hostname or ""
