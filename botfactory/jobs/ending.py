"""What follows when a job has ended, whoever ended it."""

from __future__ import annotations

from botfactory.jobs import events
from botfactory.jobs.handle import JobHandle, discard_work_dir
from botfactory.jobs.kinds import kind_of
from botfactory.jobs.models import Job
from botfactory.jobs.states import State


def after_end(job: Job, state: State) -> None:
    """The rows that the job was about, its folder, its pages and its queue know that it has ended as `state`."""
    job.refresh_from_db()
    if state != State.SUCCEEDED:
        ended = kind_of(job.kind).ended
        if ended is not None:
            ended(JobHandle(job))
    if state == State.SUCCEEDED:
        # Of the others the folder stays for a while: a retry goes on from it.
        discard_work_dir(job)
    payload = {"state": str(state)} | ({"message": job.error_message} if job.error_message else {})
    events.record(job, "state", payload)
    events.announce_queue(job.queue)
