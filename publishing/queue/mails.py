"""The mail about an account whose posts wait, because it has to be connected or marked again."""

from __future__ import annotations

from typing import Final

from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from botfactory.accounts import due_mails, notifications
from publishing.models import Account

#: The task that sends what is due (publishing/tasks.py).
SEND: Final = "publishing.tasks.send_mails"


def look() -> None:
    """Call a worker if a mail is due."""
    due_mails.look(Account.objects.all(), SEND)


def send_due() -> None:
    """Send the mails that are due."""
    rows: QuerySet[Account] = Account.objects.select_related("queue__model__owner")
    due_mails.send(rows, _mail, lambda account: account.troubled_at)


def _mail(account: Account) -> EmailMessage | None:
    owner = account.queue.model.owner
    to = notifications.recipient(owner) if owner is not None else None
    if to is None:
        return None
    with translation.override(to.language):
        subject = _("Posts of your bot are waiting")
        next_step = _("Nothing is lost: as soon as the account is connected again, the posts get new times.")
        address = reverse("queue", args=[account.queue.model_id])
        link = f"{to.site.rstrip('/')}{address}" if to.site else ""
        name = f"{account.queue.model.name}, {_(account.kind.label)}"
        text = "\n\n".join(part for part in (name, account.shown_trouble, next_step, link) if part)
        return EmailMessage(f"[Bot Factory] {subject}", f"{text}\n", to=[to.email])
