"""Which mails a person wants, and where they go."""

from __future__ import annotations

from dataclasses import dataclass

from allauth.account.models import EmailAddress
from django.conf import settings

from botfactory.accounts.models import Notifications, User


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a mail goes, in which language, and the address of the pages for its links."""

    email: str
    language: str
    site: str


def notifications_of(user: User) -> Notifications:
    """Return what the person has chosen. By default, that's no mail."""
    return Notifications.objects.filter(user=user).first() or Notifications(user=user)


def choose(user: User, *, training_succeeded: bool, training_failed: bool, language: str, site: str) -> None:
    """Store what the person wants. Mails are in this language and link to this site."""
    chosen = {"training_succeeded": training_succeeded, "training_failed": training_failed}
    Notifications.objects.update_or_create(user=user, defaults=chosen | {"language": language, "site": site[:300]})


def restore(user: User, *, training_succeeded: bool, training_failed: bool, language: str, site: str) -> bool:
    """Store what the person wanted elsewhere, and return True; unless they have chosen here, or wanted no mail."""
    if not (training_succeeded or training_failed) or Notifications.objects.filter(user=user).exists():
        return False
    choose(user, training_succeeded=training_succeeded, training_failed=training_failed, language=language, site=site)
    return True


def address_of(user: User) -> str:
    """Return the address for mails: the main one, if it's confirmed; else ""."""
    main = EmailAddress.objects.filter(user=user, primary=True, verified=True).first()
    return str(main.email) if main is not None else ""


def wants(person: int, *, succeeded: bool) -> bool:
    """Return whether the person wants a mail about a training that ended like this, and mail can be sent at all."""
    if settings.MAIL_SERVER is None:
        return False
    chosen = {"training_succeeded": True} if succeeded else {"training_failed": True}
    return Notifications.objects.filter(user=person, user__is_active=True, **chosen).exists()


def recipient(user: User) -> Recipient | None:
    """Return where mail for the person goes, or None if none can be sent."""
    email = address_of(user)
    if settings.MAIL_SERVER is None or not email or not user.is_active:
        return None
    chosen = notifications_of(user)
    return Recipient(email, chosen.language or settings.LANGUAGE_CODE, chosen.site)
