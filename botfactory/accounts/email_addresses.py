"""The email addresses of people. `User.email` is a copy of the main one; allauth also finds people by it."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.db import transaction

from botfactory.accounts import security_log
from botfactory.accounts.models import User


def main_of(user: User) -> EmailAddress | None:
    """Return the person's main address. If none is marked as such, return a confirmed one, or else the oldest."""
    return EmailAddress.objects.filter(user=user).order_by("-primary", "-verified", "pk").first()


def confirm_main(user: User) -> bool:
    """Confirm the person's main address. Return False if there is none, or if another account has confirmed it."""
    main = main_of(user)
    return main is not None and bool(main.set_verified())


@transaction.atomic
def save(address: EmailAddress, *, by: User) -> None:
    """Save what an administrator has entered. If the address is marked as the main one, no other is afterwards."""
    if address.primary:
        EmailAddress.objects.filter(user=address.user, primary=True).exclude(pk=address.pk).update(primary=False)
    address.save()
    _changed(address.user, by=by)


@transaction.atomic
def delete(address: EmailAddress, *, by: User) -> None:
    address.delete()
    _changed(address.user, by=by)


def _changed(user: User, *, by: User) -> None:
    """Bring the main address and its copy in line, so that nobody takes over the account with an earlier address."""
    main = main_of(user)
    if main is not None:
        main.set_as_primary()
    else:
        User.objects.filter(pk=user.pk).update(email="")
    security_log.record(security_log.Action.ADDRESS_CHANGED, who=user, by=by)
