"""People who get mail, and what was sent to them."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.conf import LazySettings
from django.core import mail

from botfactory.accounts.models import User
from botfactory.env import MailServer


def give_address(user: User, settings: LazySettings) -> None:
    """Give the person a confirmed address on an installation that sends mail."""
    settings.MAIL_SERVER = MailServer("127.0.0.1", 25, "", "")
    EmailAddress.objects.create(user=user, email=f"{user.username}@example.org", primary=True, verified=True)


def emptied() -> list[tuple[str, str]]:
    """Return subject and text of each mail that was sent since the last call."""
    found = [(str(message.subject), str(message.body)) for message in mail.outbox]
    mail.outbox.clear()
    return found
