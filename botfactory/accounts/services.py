from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from django.db import IntegrityError, transaction

from botfactory.accounts.models import User

#: The owner of what is made from the terminal before anybody has signed up.
LOCAL_ACCOUNT = "local"


#: Takes along what a person has, and tells how many of what: {"post": 12}.
Farewell = Callable[[User], Mapping[str, int]]
_farewells: list[Farewell] = []


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
    return True


def register_farewell(farewell: Farewell) -> None:
    """`farewell` is called for each account that is deleted, to take along what is not a row. For AppConfig.ready."""
    _farewells.append(farewell)


def delete_account(user: User) -> dict[str, int]:
    """The person is gone, with everything that was theirs: rows and files. Returns how many of what."""
    gone = Counter[str]()
    # What was registered last builds on what was registered first.
    for farewell in reversed(_farewells):
        gone.update(farewell(user))
    User.objects.filter(pk=user.pk).delete()
    return dict(gone)


def delete_own_account(user: User, *, password: str) -> dict[str, int]:
    """The person has deleted themselves, as `delete_account` does; WrongPassword, LastAdministrator."""
    if not user.check_password(password):
        raise WrongPassword("That is not your password; nothing was deleted.")
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    if user.is_superuser and not others.exists():
        raise LastAdministrator(
            "You are the only administrator here: make somebody else one first (Admin, Users); nothing was deleted."
        )
    return delete_account(user)


def counted(things: Mapping[str, int]) -> str:
    """In words: "2 corpora, 1,200 posts and 1 bot", of what there is any of; "nothing" where there is none."""
    plurals = {"corpus": "corpora"}
    there = [(noun, number) for noun, number in things.items() if number]
    parts = [f"{number:,} {noun if number == 1 else plurals.get(noun, noun + 's')}" for noun, number in there]
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
