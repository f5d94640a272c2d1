"""Mails about trainings that have ended. The row is the truth (`Job.mail_due_at`); a message only says to look."""

from __future__ import annotations

from typing import Final

from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from botfactory.accounts import due_mails, notifications
from botfactory.jobs.kinds import kind_of
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.words.plurals import on_one_line

#: The task that sends what is due (jobs/tasks.py).
SEND: Final = "botfactory.jobs.tasks.send_mails"
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
        transaction.on_commit(lambda: due_mails.ring(SEND))


def look() -> None:
    """Call a worker if a mail is due, since an earlier call may be lost."""
    due_mails.look(Job.objects.all(), SEND)


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
