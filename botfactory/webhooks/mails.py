"""Mails about webhooks that somebody else than their owner, or what their servers answered, has switched off."""

from __future__ import annotations

from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext as _

from botfactory import due_mails
from botfactory.accounts import notifications
from botfactory.webhooks.models import Webhook
from botfactory.words import on_one_line


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
        link = f"{to.site.rstrip('/')}{webhook.get_absolute_url()}" if to.site else ""
        next_step = _("It gets no more messages until you switch it on again: Your account, Webhooks.")
        parts = (on_one_line(webhook.url), webhook.shown_trouble, next_step, link)
        text = "\n\n".join(part for part in parts if part)
        return EmailMessage(f"[Bot Factory] {subject}", f"{text}\n", to=[to.email])
