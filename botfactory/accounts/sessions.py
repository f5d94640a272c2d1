"""List and end the sessions of a person."""

from __future__ import annotations

from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef

from botfactory.accounts.models import User


def sessions_of(user: User) -> list[UserSession]:
    """Return the person's live sessions, newest first, and delete the records of ended ones."""
    found: list[UserSession] = UserSession.objects.purge_and_list(user)
    return sorted(found, key=lambda session: session.created_at, reverse=True)


def end_others(user: User, *, keep: str | None, number: int | None = None) -> int:
    """End the session with this number, or else all of the person's sessions, except the one with the key `keep`.

    Return how many ended.
    """
    ended = 0
    for session in sessions_of(user):
        if session.session_key != keep and number in (None, session.pk):
            session.end()
            ended += 1
    return ended


def forget_ended() -> None:
    """Delete the content of expired sessions, and the addresses and browsers of all ended ones."""
    SessionStore.clear_expired()
    UserSession.objects.exclude(Exists(Session.objects.filter(pk=OuterRef("session_key")))).delete()
