"""What a source asks of servers on the internet, and their answers; what goes wrong is the source's error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

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

_SENT: Final = {
    "Accept": "application/json",
    "User-Agent": "BotFactory/0.1 (brings a person's posts when they ask for it)",
}
_ERRORS: Final[dict[type[net.NetError], type[SourceError]]] = {
    net.Refused: RefusedAddress,
    net.UnknownHost: UnknownServer,
    net.Unavailable: SourceUnavailable,
    net.BadAnswer: BadAnswer,
}


class Client:
    """Fetches over HTTPS from the public internet; from the origins in `trusted`, wherever and however they are."""

    def __init__(self, settings: SourceSettings, *, trusted: Iterable[str] = (), wire: Wire | None = None) -> None:
        patience = Patience(settings.timeout_seconds, settings.total_seconds, settings.max_answer_bytes)
        self._client = net.Client(patience, trusted=(*settings.private_servers, *trusted), wire=wire)

    def get(self, url: str) -> Answer:
        """The answer to a GET, redirects followed; no cookie and no secret is ever sent.

        Raises RefusedAddress, UnknownServer and BadAnswer for what another try would not change, SourceUnavailable for
        a server that does not answer, not in time, or with more than `max_answer_bytes`.
        """
        try:
            return self._client.get(url, _SENT)
        except net.NetError as trouble:
            error = _ERRORS[type(trouble)](str(trouble))
        # Outside of `except`, so that the sentence is all that is left of it.
        raise error
