"""Mails about webhooks that were switched off by the administrator, or because their servers no longer answer."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext as _

from botfactory.accounts import due_mails, notifications
from botfactory.webhooks.models import Webhook

#: The task that sends what is due (webhooks/tasks.py).
SEND: Final = "botfactory.webhooks.tasks.send_mails"


def look() -> None:
    """Call a worker if a mail is due."""
    due_mails.look(Webhook.objects.all(), SEND)


def send_due() -> None:
    """Send the mails that are due."""
    rows: QuerySet[Webhook] = Webhook.objects.select_related("owner")
    due_mails.send(rows, _mail, lambda webhook: webhook.switched_off_at)


def _mail(webhook: Webhook) -> EmailMessage | None:
    to = notifications.recipient(webhook.owner)
    if to is None:
        return None
    with translation.override(to.language):
        subject = _("A webhook was switched off")
        # Only the server: the rest of an address is often a secret, and mails pass through other people's machines.
        server = urlsplit(webhook.url).hostname or ""
        link = f"{to.site.rstrip('/')}{webhook.get_absolute_url()}" if to.site else ""
        next_step = _("It gets no more messages until you switch it on again: Your account, Webhooks.")
        parts = (server, webhook.shown_trouble, next_step, link)
        text = "\n\n".join(part for part in parts if part)
        return EmailMessage(f"[Bot Factory] {subject}", f"{text}\n", to=[to.email])
