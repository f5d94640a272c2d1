"""The one place where jobs end, whoever ends them, and what follows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from botfactory.jobs import events, usage
from botfactory.jobs.handle import JobHandle, discard_work_dir
from botfactory.jobs.kinds import kind_of
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.webhooks import services as webhooks
from botfactory.webhooks.happenings import Happening

_HAPPENINGS: dict[State, Happening] = {
    State.SUCCEEDED: "job.succeeded",
    State.FAILED: "job.failed",
    State.CANCELLED: "job.cancelled",
}


def end(rows: QuerySet[Job], state: State, *, worked_until: datetime | None = None, **values: Any) -> bool:
    """The job that `rows` holds, if it still does, has ended as `state`, and everybody who is to know will.

    That webhooks are to be told, and with `worked_until` that the time since the job's claim is used up by its owner,
    is committed with the end itself: neither is there without the other.
    """
    job = rows.first()
    if job is None:
        return False
    with transaction.atomic():
        if not rows.update(state=state, finished_at=timezone.now(), **values):
            return False
        webhooks.note(job.owner_id, _HAPPENINGS[state], job.pk)
        if worked_until is not None:
            usage.charge(job, worked_until)
    _after_end(job, state)
    return True


def _after_end(job: Job, state: State) -> None:
    """The rows that the job was about, its folder, its pages and its queue know that it has ended as `state`."""
    job.refresh_from_db()
    if state != State.SUCCEEDED:
        ended = kind_of(job.kind).ended
        if ended is not None:
            ended(JobHandle(job))
    if state == State.SUCCEEDED:
        # Of the others the folder stays for a while: a retry goes on from it. Who is killed here leaves this one to the
        # reaper.
        discard_work_dir(job)
    payload = {"state": str(state)} | ({"message": job.error_message} if job.error_message else {})
    events.record(job, "state", payload)
    events.announce_queue(job.queue)
