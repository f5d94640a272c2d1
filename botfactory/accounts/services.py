from __future__ import annotations

from collections.abc import Callable

from django.db import IntegrityError, transaction

from botfactory.accounts.models import User

#: The owner of what is made from the terminal before anybody has signed up.
LOCAL_ACCOUNT = "local"


Farewell = Callable[[User], None]
_farewells: list[Farewell] = []


class UnknownAccount(Exception):
    code = "unknown_account"


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


def delete_account(user: User) -> None:
    """The person is gone, with everything that was theirs: rows and files."""
    # What was registered last builds on what was registered first.
    for farewell in reversed(_farewells):
        farewell(user)
    User.objects.filter(pk=user.pk).delete()


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
