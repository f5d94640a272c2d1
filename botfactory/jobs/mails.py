"""Mails about trainings that have ended. The row is the truth (`Job.mail_due_at`); a message only says to look."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from botfactory import doorbell
from botfactory.accounts import notifications
from botfactory.accounts.notifications import Recipient
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
#: A mail that couldn't be sent is tried again after this pause, for at most a day.
_PAUSE: Final = timedelta(minutes=10)
_GIVEN_UP_AFTER: Final = timedelta(days=1)


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
    if _due().exists():
        ring()


def send_due() -> None:
    """Send the mails that are due. Each is claimed first, so two workers don't send the same."""
    for job in _due().select_related("owner"):
        later = timezone.now() + _PAUSE
        if Job.objects.filter(pk=job.pk, mail_due_at=job.mail_due_at).update(mail_due_at=later) and _send(job):
            Job.objects.filter(pk=job.pk, mail_due_at=later).update(mail_due_at=None)


def _due() -> QuerySet[Job]:
    return Job.objects.filter(mail_due_at__lte=timezone.now())


def _send(job: Job) -> bool:
    """Send the mail; return whether nothing is left to do for it."""
    to = notifications.recipient(job.owner)
    if to is None or job.state not in (State.SUCCEEDED, State.FAILED):
        # The address isn't confirmed any more, or the job was tried again.
        return True
    try:
        _mail(job, to).send()
    except Exception as error:
        # Whatever it is: the next mail may go out, and this one must not be tried forever.
        is_over = job.finished_at is None or timezone.now() - job.finished_at > _GIVEN_UP_AFTER
        logger.warning(
            "job %s: the mail about its end can't be sent (%s)%s", job.pk, error, "" if is_over else "; later"
        )
        return is_over
    return True


def _mail(job: Job, to: Recipient) -> EmailMessage:
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
