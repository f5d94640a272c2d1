"""Mails about accounts: posts wait until one is connected or marked again, or those of a deleted bot are left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from botfactory.accounts import due_mails, notifications
from botfactory.accounts.models import User
from publishing.models import Account, FormerAccount
from publishing.sending import remains

#: The task that sends what is due (publishing/tasks.py).
SEND: Final = "publishing.tasks.send_mails"


def look() -> None:
    """Call a worker if a mail is due."""
    due_mails.look(Account.objects.all(), SEND)
    due_mails.look(FormerAccount.objects.all(), SEND)


def send_due() -> None:
    """Send the mails that are due."""
    rows: QuerySet[Account] = Account.objects.select_related("queue__model__owner")
    due_mails.send(rows, _about_account, lambda account: account.troubled_at)
    former: QuerySet[FormerAccount] = FormerAccount.objects.select_related("owner")
    due_mails.send(former, _about_remains, lambda account: account.created_at + remains.GIVEN_UP_AFTER)


def _about_account(account: Account) -> EmailMessage | None:
    model = account.queue.model

    def words() -> tuple[str, ...]:
        next_step = _("Nothing is lost: as soon as the account is connected again, the posts get new times.")
        name = f"{model.name}, {_(account.kind.label)}"
        return _("Posts of your bot are waiting"), name, account.shown_trouble, next_step

    return _mail(model.owner, words, reverse("queue", args=[model.pk]))


def _about_remains(account: FormerAccount) -> EmailMessage | None:
    def words() -> tuple[str, ...]:
        next_step = _("The bot is deleted, and these posts are still there. Delete them there yourself:")
        name = f"{account.bot}, {_(account.kind.label)} {account.handle}"
        return _("Posts of your deleted bot are left"), name, account.shown_error, next_step, account.addresses

    return _mail(account.owner, words)


def _mail(owner: User | None, words: Callable[[], tuple[str, ...]], address: str = "") -> EmailMessage | None:
    """Return a mail in the owner's language, or None if they get none. words: the subject, and what it says."""
    to = notifications.recipient(owner) if owner is not None else None
    if to is None:
        return None
    with translation.override(to.language):
        subject, *parts = words()
    link = f"{to.site.rstrip('/')}{address}" if to.site and address else ""
    text = "\n\n".join(filter(None, (*parts, link)))
    return EmailMessage(f"[Bot Factory] {subject}", f"{text}\n", to=[to.email])
