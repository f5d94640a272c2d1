"""Who may watch a job over a connection that stays open: checked each time, since a session or token may end."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from botfactory.accounts import tokens
from botfactory.accounts.identity import user_of_session
from botfactory.jobs import services
from botfactory.jobs.models import Job

#: The subprotocol that a browser offers beside its token, and that we accept.
PROTOCOL: Final = "botfactory"
_BEARER: Final = "bearer."
#: The most connections of one person to one process. A tab has up to twelve. Beyond this, pages poll.
MAX_LINES: Final = 100
_PORTS: Final = {"http": "80", "https": "443"}


def shown_token(scope: Mapping[str, Any]) -> str | None:
    """Return the text of a socket's token, from its Authorization header or else its subprotocol; None without one."""
    bearer = tokens.bearer_of(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"))
    if bearer is not None:
        return bearer
    offered = (text for text in scope.get("subprotocols", []) if text.startswith(_BEARER))
    return next((text.removeprefix(_BEARER) for text in offered), None)


class OriginOrToken:
    """An ASGI application for sockets: with a session only for pages of this site, with a token also for programs.

    A program sends no Origin. A page of another site does, and needs to be listed in API_CORS_ORIGINS.
    """

    def __init__(self, inner: Any) -> None:
        self.inner, self.refuse = inner, WebsocketDenier.as_asgi()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        headers = dict(scope["headers"])
        origin, host = (headers.get(name, b"").decode("latin-1") for name in (b"origin", b"host"))
        by_token = shown_token(scope) is not None and (not origin or may_call_the_api(origin))
        is_open = by_token or is_own_page(origin, host)
        return await (self.inner if is_open else self.refuse)(scope, receive, send)


def may_call_the_api(origin: str) -> bool:
    """Return whether pages of that site may call the API with a token, as API_CORS_ORIGINS says."""
    return settings.CORS_ALLOW_ALL_ORIGINS or origin in settings.CORS_ALLOWED_ORIGINS


def is_own_page(origin: str, host: str) -> bool:
    """Return whether the origin is a page of this site: the same host and port as the request's.

    Django checks forms in the same way, so the names in CSRF_TRUSTED_ORIGINS belong to this site too.
    """
    scheme, _, netloc = origin.lower().partition("://")
    if scheme not in _PORTS or (settings.HTTPS and scheme != "https"):
        return False
    name, _ = split_domain_port(netloc)
    if not validate_host(name, settings.ALLOWED_HOSTS):
        return False
    return _with_port(netloc, scheme) == _with_port(host.lower(), scheme) or origin in settings.CSRF_TRUSTED_ORIGINS


def _with_port(netloc: str, scheme: str) -> tuple[str, str]:
    name, port = split_domain_port(netloc)
    return name, port or _PORTS[scheme]


class Lines:
    """Counts the connections that each person keeps open to this process: sockets and streams of events.

    Each process counts its own, because a connection costs the process that holds it. A killed process then leaves no
    wrong number behind.
    """

    def __init__(self) -> None:
        self.open: Counter[int] = Counter()

    def is_full(self, person: int) -> bool:
        return self.open[person] >= MAX_LINES

    def take(self, person: int) -> bool:
        """Count one more and return True; False if the person has MAX_LINES."""
        if self.is_full(person):
            return False
        self.open[person] += 1
        return True

    def give_back(self, person: int) -> None:
        self.open[person] -= 1
        if self.open[person] <= 0:
            del self.open[person]


lines: Final = Lines()


@dataclass(frozen=True, slots=True)
class Watcher:
    """Watches with the text of a token or the key of a session. With a bad token, a session doesn't help."""

    token: str | None = field(default=None, repr=False)
    session_key: str | None = field(default=None, repr=False)

    def job(self, job_id: uuid.UUID) -> Job:
        """Return the job while the watcher may see it; Job.DoesNotExist afterwards."""
        return services.job_for_user(self._user(), job_id)

    def _user(self) -> Any:
        if self.token is not None:
            token = tokens.find_token(self.token)
            user = None if token is None or "read" not in tokens.scopes_of(token) else token.owner
        else:
            user = user_of_session(self.session_key)
        if user is None:
            raise Job.DoesNotExist
        return user
