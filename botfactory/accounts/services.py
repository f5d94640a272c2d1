from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Final

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from botfactory.accounts import security_log
from botfactory.accounts.models import ApiToken, User
from botfactory.accounts.security_log import Action
from botfactory.words.translation import grouped

#: The owner of what commands create before anybody has signed up.
LOCAL_ACCOUNT = "local"

#: What farewells and suspensions count, with a number.
NOUNS: Final = {
    "corpus": ngettext_lazy("%(count)s corpus", "%(count)s corpora", "number"),
    "post": ngettext_lazy("%(count)s post", "%(count)s posts", "number"),
    "file": ngettext_lazy("%(count)s file", "%(count)s files", "number"),
    "bot": ngettext_lazy("%(count)s bot", "%(count)s bots", "number"),
    "job": ngettext_lazy("%(count)s job", "%(count)s jobs", "number"),
    "session": ngettext_lazy("%(count)s session", "%(count)s sessions", "number"),
    "token": ngettext_lazy("%(count)s API token", "%(count)s API tokens", "number"),
}
#: The same without a number, as headings.
PLURALS: Final = {
    "corpus": gettext_lazy("corpora"),
    "post": gettext_lazy("posts"),
    "file": gettext_lazy("files"),
    "bot": gettext_lazy("bots"),
    "job": gettext_lazy("jobs"),
    "session": gettext_lazy("sessions"),
    "token": gettext_lazy("API tokens"),
}

#: Does something for a person and returns how many things it was about: {"post": 12}.
Counted = Callable[[User], Mapping[str, int]]
#: Deletes what a person has, for the person or for `by`, and returns how many things it deleted.
Farewell = Callable[[User, User | None], Mapping[str, int]]
#: Each with a function that counts the same beforehand.
_farewells: list[tuple[Farewell, Counted]] = []
#: Functions that end what is running for a person.
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
    """Make the person the administrator if there is none yet. Return whether that happened."""
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


def register_farewell(farewell: Farewell, *, count: Counted) -> None:
    """Have `farewell` called when an account is deleted, to delete more than rows. Called in AppConfig.ready.

    `count` returns what it would delete.
    """
    _farewells.append((farewell, count))


def register_suspension(end: Counted) -> None:
    """Have `end` called when an account is deactivated. Called in AppConfig.ready."""
    _suspensions.append(end)


def belongings(user: User) -> dict[str, int]:
    """Return what `delete_account` would delete, as numbers by noun."""
    there = Counter[str]()
    for _farewell, count in reversed(_farewells):
        there.update(count(user))
    return dict(there)


def delete_account(user: User, *, by: User | None = None) -> dict[str, int]:
    """Delete the person with all their rows and files. Return what was deleted, as numbers by noun.

    They are signed out everywhere first. If the deletion is interrupted, the account stays deactivated; delete it
    again. Raises LastAdministrator.
    """
    with transaction.atomic():
        require_other_administrator(user)
        security_log.record(Action.DELETED, who=user, by=by)
        _shut_out(user)
    gone = Counter(_say_farewell(user, by))
    with transaction.atomic():
        # From now on, nobody can add a row of theirs.
        list(User.objects.select_for_update().filter(pk=user.pk))
        # What a job or a request made meanwhile.
        gone.update(_say_farewell(user, by))
        User.objects.filter(pk=user.pk).delete()
    return dict(gone)


def _say_farewell(user: User, by: User | None) -> dict[str, int]:
    gone = Counter[str]()
    # Apps that registered later build on those that registered earlier.
    for farewell, _count in reversed(_farewells):
        gone.update(farewell(user, by))
    return dict(gone)


def is_last_administrator(user: User, *, without: Collection[User] = ()) -> bool:
    """Return whether no active administrator would be left without the person and the others in `without`."""
    gone = {user.pk, *(other.pk for other in without)}
    return user.is_superuser and not _administrators().exclude(pk__in=gone).exists()


def require_other_administrator(user: User) -> None:
    """Raise LastAdministrator unless somebody else is an administrator, too. That stays so until the transaction ends.

    Of two administrators who remove each other at once, the second waits here, and then is the last one.
    """
    list(_administrators().select_for_update(no_key=True).order_by("pk").values_list("pk"))
    if is_last_administrator(user):
        message = _("%(person)s is the only administrator here. Make somebody else an administrator first.")
        raise LastAdministrator(message % {"person": user})


def _administrators() -> QuerySet[User]:
    return User.objects.filter(is_superuser=True, is_active=True)


def deactivate(user: User, *, by: User | None = None) -> dict[str, int]:
    """Keep the person from signing in, and end their sessions, tokens and jobs. Return what ended, by noun.

    Sessions and tokens end for good. What the person has made stays. Raises LastAdministrator.
    """
    ended = Counter[str]()
    with transaction.atomic():
        require_other_administrator(user)
        ended.update(_shut_out(user))
        security_log.record(Action.DEACTIVATED, who=user, by=by, ended=dict(ended))
    user.refresh_from_db()
    for end in _suspensions:
        ended.update(end(user))
    return dict(ended)


def _shut_out(user: User) -> dict[str, int]:
    """Keep the person from signing in, and end their sessions and tokens. Return how many."""
    User.objects.filter(pk=user.pk).update(is_active=False)
    tokens = ApiToken.objects.filter(owner=user, revoked_at=None).update(revoked_at=timezone.now())
    return {"session": _end_sessions(user), "token": tokens}


def activate(user: User, *, by: User | None = None) -> None:
    """Let the person sign in again, with the same password as before."""
    User.objects.filter(pk=user.pk).update(is_active=True)
    security_log.record(Action.ACTIVATED, who=user, by=by)
    user.refresh_from_db()


def _end_sessions(user: User) -> int:
    """End the person's sessions and return how many. Only the content of a session says whose it is."""
    theirs = [
        session.pk
        for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator()
        if session.get_decoded().get(SESSION_KEY) == str(user.pk)
    ]
    for start in range(0, len(theirs), 500):
        Session.objects.filter(pk__in=theirs[start : start + 500]).delete()
    return len(theirs)


def delete_own_account(user: User, *, password: str) -> dict[str, int]:
    """Delete the person's own account after checking the password. Raises WrongPassword, LastAdministrator."""
    if not user.check_password(password):
        raise WrongPassword(_("Wrong password. Nothing was deleted."))
    if is_last_administrator(user):
        raise LastAdministrator(
            _(
                "You are the only administrator here. Make somebody else an administrator first (Admin, Users). "
                "Nothing was deleted."
            )
        )
    return delete_account(user)


def counted(things: Mapping[str, int]) -> str:
    """Return "2 corpora, 1,200 posts and 1 bot", leaving out zeros, or "nothing"."""
    parts = [
        str(NOUNS[noun] % {"number": number, "count": grouped(number)}) for noun, number in things.items() if number
    ]
    if len(parts) < 2:
        return "".join(parts) or _("nothing")
    return _("%(first)s and %(last)s") % {"first": ", ".join(parts[:-1]), "last": parts[-1]}


def terminal_account(username: str | None = None) -> User:
    """Return the account for which a command works: the one named, else the first administrator, else `local`."""
    if username:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise UnknownAccount(f"There is no account named {username!r}. Sign up in the browser first.")
        return user
    administrator = User.objects.filter(is_superuser=True, is_active=True).order_by("-is_founder", "pk").first()
    if administrator is not None:
        return administrator
    local, made = User.objects.get_or_create(username=LOCAL_ACCOUNT)
    if made:
        local.set_unusable_password()
        local.save(update_fields=["password"])
    return local
