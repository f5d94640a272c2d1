"""Send the mails that rows ask for in their field `mail_due_at`. The row is the truth, so no mail is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from django.core.mail import EmailMessage
from django.db.models import Model, QuerySet
from django.utils import timezone

from botfactory.broker import doorbell

logger = logging.getLogger(__name__)

Row = TypeVar("Row", bound=Model)
#: The workers that also send messages of webhooks.
_QUEUE: Final = "webhooks"
#: A mail that couldn't be sent is tried again after this pause, for at most a day.
_PAUSE: Final = timedelta(minutes=10)
_GIVEN_UP_AFTER: Final = timedelta(days=1)


def due(rows: QuerySet[Row]) -> QuerySet[Row]:
    """Return the rows whose mails are due."""
    return rows.filter(mail_due_at__lte=timezone.now())


def ring(task: str) -> None:
    """Call a worker to run the task that sends them. If the broker can't be reached, the scheduler rings later."""
    try:
        doorbell.ring(task, queue=_QUEUE)
    except Exception as error:
        logger.warning("mails: the broker can't be reached (%s); they are sent later", error)


def look(rows: QuerySet[Row], task: str) -> None:
    """Call a worker to run the task if a mail is due."""
    if due(rows).exists():
        ring(task)


def send(
    rows: QuerySet[Row], mail_of: Callable[[Row], EmailMessage | None], since: Callable[[Row], datetime | None]
) -> None:
    """Send the mails that are due. Each is claimed first, so two workers don't send the same.

    `mail_of` returns the mail of a row, or None if none is wanted any more. `since` returns when the mail was noted.
    """
    for row in due(rows):
        later = timezone.now() + _PAUSE
        same: QuerySet[Any] = type(row)._default_manager.filter(pk=row.pk)
        claimed = same.filter(mail_due_at=row.mail_due_at).update(mail_due_at=later)  # type: ignore[attr-defined]
        if claimed and _is_done(row, mail_of, since(row)):
            same.filter(mail_due_at=later).update(mail_due_at=None)


def _is_done(row: Row, mail_of: Callable[[Row], EmailMessage | None], since: datetime | None) -> bool:
    """Send the mail; return whether nothing is left to do for it."""
    try:
        mail = mail_of(row)
        if mail is not None:
            mail.send()
    except Exception as error:
        # Whatever it is: the next mail may go out, and this one must not be tried forever.
        is_over = since is None or timezone.now() - since > _GIVEN_UP_AFTER
        name = row._meta.model_name
        logger.warning("%s %s: its mail can't be sent (%s)%s", name, row.pk, error, "" if is_over else "; later")
        return is_over
    return True
