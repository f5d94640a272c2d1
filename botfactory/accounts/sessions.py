"""Where a person is signed in: seen, and ended."""

from __future__ import annotations

from allauth.usersessions.models import UserSession

from botfactory.accounts.models import User


def sessions_of(user: User) -> list[UserSession]:
    """The person's sessions that are still alive, the newest first; those that are over are forgotten."""
    found: list[UserSession] = UserSession.objects.purge_and_list(user)
    return sorted(found, key=lambda session: session.created_at, reverse=True)


def end_others(user: User, *, keep: str | None, number: int | None = None) -> int:
    """Of the person's sessions but that with the key `keep` the one with this number is over, or without one all."""
    ended = 0
    for session in sessions_of(user):
        if session.session_key != keep and number in (None, session.pk):
            session.end()
            ended += 1
    return ended
