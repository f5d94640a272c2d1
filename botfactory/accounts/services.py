from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.utils import timezone

from botfactory.accounts import security_log
from botfactory.accounts.models import ApiToken, User
from botfactory.accounts.security_log import Action

#: The owner of what is made from the terminal before anybody has signed up.
LOCAL_ACCOUNT = "local"


#: Tells how many of what, having done with a person what it is registered for: {"post": 12}.
Counted = Callable[[User], Mapping[str, int]]
#: What takes along what a person has, and what tells beforehand what that will be.
_farewells: list[tuple[Counted, Counted]] = []
#: What ends what goes on in a person's name.
_suspensions: list[Counted] = []


class UnknownAccount(Exception):
    code = "unknown_account"


class AccountError(Exception):
    """A sentence for the person; `code` for programs."""

    code = "account_error"


class WrongPassword(AccountError):
    code = "wrong_password"


class LastAdministrator(AccountError):
    code = "last_administrator"


def make_founder_if_first(user: User) -> bool:
    """The person is this installation's administrator if it had none so far. Returns whether that is so."""
    if User.objects.filter(is_superuser=True).exclude(pk=user.pk).exists():
        return False
    try:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(is_founder=True, is_staff=True, is_superuser=True)
    except IntegrityError:
        return False
    user.refresh_from_db(fields=["is_founder", "is_staff", "is_superuser"])
    security_log.record(Action.ROLES_CHANGED, who=user, is_staff=True, is_superuser=True, first_account=True)
    return True


def register_farewell(farewell: Counted, *, count: Counted) -> None:
    """`farewell` is called for each account that is deleted, to take along what is not a row. For AppConfig.ready.

    `count` tells what it would take.
    """
    _farewells.append((farewell, count))


def register_suspension(end: Counted) -> None:
    """`end` is called for each account that is deactivated. For AppConfig.ready."""
    _suspensions.append(end)


def belongings(user: User) -> dict[str, int]:
    """How many of what `delete_account` would take along."""
    there = Counter[str]()
    for _, count in reversed(_farewells):
        there.update(count(user))
    return dict(there)


def delete_account(user: User, *, by: User | None = None) -> dict[str, int]:
    """The person is gone, with everything that was theirs: rows and files. Returns how many of what."""
    security_log.record(Action.DELETED, who=user, by=by)
    gone = Counter[str]()
    # What was registered last builds on what was registered first.
    for farewell, _ in reversed(_farewells):
        gone.update(farewell(user))
    User.objects.filter(pk=user.pk).delete()
    return dict(gone)


def is_last_administrator(user: User) -> bool:
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    return user.is_superuser and not others.exists()


def deactivate(user: User, *, by: User | None = None) -> dict[str, int]:
    """The person can no longer sign in, and nothing goes on in their name. Returns what was ended; LastAdministrator.

    Sessions and tokens are ended for good, and what they have made stays as it is.
    """
    if is_last_administrator(user):
        raise LastAdministrator(f"{user} is the only administrator here: make somebody else one first.")
    ended = Counter[str]()
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_active=False)
        tokens = ApiToken.objects.filter(owner=user, revoked_at=None).update(revoked_at=timezone.now())
        ended.update({"session": _end_sessions(user), "token": tokens})
        security_log.record(Action.DEACTIVATED, who=user, by=by, ended=dict(ended))
    user.refresh_from_db()
    for end in _suspensions:
        ended.update(end(user))
    return dict(ended)


def activate(user: User, *, by: User | None = None) -> None:
    """The person can sign in again, with the password that they had."""
    User.objects.filter(pk=user.pk).update(is_active=True)
    security_log.record(Action.ACTIVATED, who=user, by=by)
    user.refresh_from_db()


def _end_sessions(user: User) -> int:
    """Their sessions are over; how many. Whose a session is stands only in what it holds."""
    theirs = [
        session.pk
        for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator()
        if session.get_decoded().get(SESSION_KEY) == str(user.pk)
    ]
    for start in range(0, len(theirs), 500):
        Session.objects.filter(pk__in=theirs[start : start + 500]).delete()
    return len(theirs)


def delete_own_account(user: User, *, password: str) -> dict[str, int]:
    """The person has deleted themselves, as `delete_account` does; WrongPassword, LastAdministrator."""
    if not user.check_password(password):
        raise WrongPassword("That is not your password; nothing was deleted.")
    if is_last_administrator(user):
        raise LastAdministrator(
            "You are the only administrator here: make somebody else one first (Admin, Users); nothing was deleted."
        )
    return delete_account(user)


def plural(noun: str) -> str:
    return {"corpus": "corpora"}.get(noun, noun + "s")


def counted(things: Mapping[str, int]) -> str:
    """In words: "2 corpora, 1,200 posts and 1 bot", of what there is any of; "nothing" where there is none."""
    there = [(noun, number) for noun, number in things.items() if number]
    parts = [f"{number:,} {noun if number == 1 else plural(noun)}" for noun, number in there]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts) or "nothing"


def terminal_account(username: str | None = None) -> User:
    """The account for which a command works: the one named, else the first administrator, else `local`."""
    if username:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise UnknownAccount(f"There is no account named {username!r}. Sign up on the page first, or leave it out.")
        return user
    administrator = User.objects.filter(is_superuser=True, is_active=True).order_by("-is_founder", "pk").first()
    if administrator is not None:
        return administrator
    local, made = User.objects.get_or_create(username=LOCAL_ACCOUNT)
    if made:
        local.set_unusable_password()
        local.save(update_fields=["password"])
    return local
