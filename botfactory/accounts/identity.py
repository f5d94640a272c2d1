"""Find the person outside of a request, by the header with a token or by the key of a session."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.utils.module_loading import import_string

from botfactory.accounts import tokens
from botfactory.accounts.models import User


def user_of_session(session_key: str | None) -> User | None:
    """Return the active person whose session it is, or None if it has ended or belongs to nobody."""
    if not session_key:
        return None
    store = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    user = get_user(_SessionRequest(store(session_key)))  # type: ignore[arg-type]
    return user if isinstance(user, User) and user.is_active else None


def user_of(authorization: str, session_key: str | None) -> User | None:
    """Return the person by token or else by session. A session doesn't make up for an invalid token."""
    bearer = tokens.bearer_of(authorization)
    return user_of_session(session_key) if bearer is None else tokens.user_of_token(bearer)


class _SessionRequest:
    """The part of a request that django.contrib.auth.get_user reads."""

    def __init__(self, session: Any) -> None:
        self.session = session
