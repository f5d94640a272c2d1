"""Mails about trainings that have ended. The row is the truth (`Job.mail_due_at`); a message only says to look."""

from __future__ import annotations

import logging
from typing import Final

from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from botfactory import doorbell, due_mails
from botfactory.accounts import notifications
from botfactory.jobs.kinds import kind_of
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.words import on_one_line

logger = logging.getLogger(__name__)

#: The task that sends what is due (jobs/tasks.py), on the workers that also send messages of webhooks.
SEND: Final = "botfactory.jobs.tasks.send_mails"
QUEUE: Final = "webhooks"
#: The limit whose minutes trainings use up.
_TRAININGS: Final = "training_minutes_a_day"


def note(job: Job, state: State) -> None:
    """Note that the owner gets a mail about the end of this job, if they want one.

    Call it in the transaction that ends the job. A cancelled training needs no mail, because its owner cancelled it.
    """
    if kind_of(job.kind).meter != _TRAININGS or state not in (State.SUCCEEDED, State.FAILED):
        return
    if notifications.wants(job.owner_id, succeeded=state == State.SUCCEEDED):
        Job.objects.filter(pk=job.pk).update(mail_due_at=timezone.now())
        transaction.on_commit(ring)


def ring() -> None:
    """Call a worker to send what is due. If the broker can't be reached, the scheduler rings later."""
    try:
        doorbell.ring(SEND, queue=QUEUE)
    except Exception as error:
        logger.warning("mails: the broker can't be reached (%s); they are sent later", error)


def look() -> None:
    """Call a worker if a mail is due, since an earlier call may be lost."""
    if due_mails.due(Job.objects.all()).exists():
        ring()


def send_due() -> None:
    """Send the mails that are due."""
    rows: QuerySet[Job] = Job.objects.select_related("owner")
    due_mails.send(rows, _mail, lambda job: job.finished_at)


def _mail(job: Job) -> EmailMessage | None:
    to = notifications.recipient(job.owner)
    if to is None or job.state not in (State.SUCCEEDED, State.FAILED):
        # The address isn't confirmed any more, or the job was tried again.
        return None
    with translation.override(to.language):
        title = on_one_line(job.shown_title)
        if job.state == State.SUCCEEDED:
            subject, said = _("Done: %(title)s"), str(kind_of(job.kind).done)
        else:
            subject, said = _("Failed: %(title)s"), job.shown_error or _("The training has failed.")
        link = f"{to.site.rstrip('/')}{job.get_absolute_url()}" if to.site else ""
        why = _("You get this email because you asked for it on your account page. You can turn it off there.")
        text = "\n\n".join(part for part in (title, said, link, why) if part)
        return EmailMessage(f"[Bot Factory] {subject % {'title': title}}", f"{text}\n", to=[to.email])
