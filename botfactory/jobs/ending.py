"""The one place where jobs end, whoever ends them, and what follows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from botfactory.files.folders import remove_when_committed
from botfactory.jobs import events, mails, usage
from botfactory.jobs.errors import FROM_OUTSIDE
from botfactory.jobs.handle import discard_work_dir
from botfactory.jobs.kinds import kind_of
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.webhooks import services as webhooks
from botfactory.words.plurals import on_one_line
from botfactory.words.translation import stored

logger = logging.getLogger(__name__)

_EVENT_TYPES: dict[State, str] = {
    State.SUCCEEDED: "job.succeeded",
    State.FAILED: "job.failed",
    State.CANCELLED: "job.cancelled",
}


def end(
    rows: QuerySet[Job], state: State, *, worked_until: datetime | None = None, said: object = "", **values: Any
) -> bool:
    """End the job that `rows` holds, if it still does, as `state`; return whether it did.

    One transaction holds the end and all that follows from it: the event, the webhooks and the mail to send, what
    the job was about, and with `worked_until` the time since its claim as used up by its owner. A process that is
    killed in the middle leaves a job that has not ended.
    """
    job = rows.first()
    if job is None:
        return False
    with transaction.atomic():
        words = stored(said)
        values |= {"error_message": on_one_line(str(said)), "words": job.words | {"error": words}}
        if not rows.update(state=state, finished_at=timezone.now(), **values):
            return False
        webhooks.note(job.owner_id, _EVENT_TYPES[state], job.pk)
        mails.note(job, state)
        if worked_until is not None:
            usage.charge(job, worked_until)
        job.refresh_from_db()
        if state != State.SUCCEEDED:
            settle(job)
            discard_attempts(job)
        told = {"message": job.error_message, "words": words} if job.error_message else {}
        events.record(job, "state", {"state": str(state)} | told)
        transaction.on_commit(lambda: _after_end(job, state))
    return True


def settle(job: Job) -> None:
    """Bring the rows that an unsuccessful job was about in line (JobKind.ended)."""
    ended = kind_of(job.kind).ended
    if ended is not None:
        _settle(job, ended)


def discard_attempts(job: Job) -> None:
    """Delete what killed attempts of a job have left (JobKind.left_by), once the transaction is committed."""
    left_by = kind_of(job.kind).left_by
    for folder in () if left_by is None else left_by(job):
        remove_when_committed(folder)


def _settle(job: Job, ended: Callable[[Job], None]) -> None:
    try:
        with transaction.atomic():
            ended(job)
    except (OperationalError, InterfaceError, *FROM_OUTSIDE):
        # Nothing is committed: the next attempt to end the job does this, too.
        raise
    except Exception:
        # A bug here must not block the end.
        logger.exception("job %s: what it was about could not be brought in line", job.pk)


def _after_end(job: Job, state: State) -> None:
    if state == State.SUCCEEDED:
        # Of the others the folder stays for a while: a retry goes on from it. Who is killed here leaves this one to the
        # reaper.
        discard_work_dir(job)
    events.announce_queue(job.queue)
