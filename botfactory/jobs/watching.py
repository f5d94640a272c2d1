"""Who watches a job over a line that stays open: asked anew each time, since what opened it may end meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from channels.security.websocket import AllowedHostsOriginValidator

from botfactory.accounts import tokens
from botfactory.accounts.identity import user_of_session
from botfactory.cors import is_allowed
from botfactory.jobs import services
from botfactory.jobs.models import Job

#: What a browser offers beside its token, and what is accepted of the two.
PROTOCOL: Final = "botfactory"
_BEARER: Final = "bearer."


def shown_token(scope: Mapping[str, Any]) -> str:
    """The header by which a socket shows a token, made of the subprotocol where that holds it; else empty."""
    header = dict(scope["headers"]).get(b"authorization")
    if header is not None:
        return str(header.decode("latin-1"))
    offered = (text for text in scope.get("subprotocols", []) if text.startswith(_BEARER))
    return next((f"Bearer {text.removeprefix(_BEARER)}" for text in offered), "")


class OriginOrToken:
    """An ASGI application for sockets: by session from pages of this site only, by token also for programs.

    A program sends no Origin. The page of another site, which sends one, needs to stand in API_CORS_ORIGINS.
    """

    def __init__(self, inner: Any) -> None:
        self.by_token, self.by_session = inner, AllowedHostsOriginValidator(inner)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        origin = dict(scope["headers"]).get(b"origin", b"").decode("latin-1")
        free = shown_token(scope) and (not origin or is_allowed(origin))
        return await (self.by_token if free else self.by_session)(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Watcher:
    """By the header of a token, or the key of a session; no session makes good a token that does not do."""

    authorization: str = field(default="", repr=False)
    session_key: str | None = field(default=None, repr=False)

    def job(self, job_id: uuid.UUID) -> Job:
        """The job, while the watcher may see it; Job.DoesNotExist from then on."""
        return services.job_for_user(self._user(), job_id)

    def _user(self) -> Any:
        if self.authorization:
            token = tokens.token_of_header(self.authorization)
            user = None if token is None or "read" not in tokens.scopes_of(token) else token.owner
        else:
            user = user_of_session(self.session_key)
        if user is None:
            raise Job.DoesNotExist
        return user
