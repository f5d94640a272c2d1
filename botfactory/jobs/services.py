"""The one state machine: submit, claim, run, end, cancel, stop, retry, reap. Every step is one conditional UPDATE."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import events
from botfactory.jobs.errors import ComeBackLater, JobCancelled, JobFailed, LostClaim, NotPossible
from botfactory.jobs.handle import JobHandle, Listener, discard_work_dir
from botfactory.jobs.kinds import kind_of
from botfactory.jobs.models import Job
from botfactory.jobs.states import ACTIVE, CLAIMABLE, ENDED, HELD, State, sources_of

logger = logging.getLogger(__name__)

#: A doorbell that nobody has answered for so long is rung again: the broker may have lost it.
RING_AGAIN_SECONDS = 30
#: How long the work folder of a job that did not succeed waits for a retry.
KEEP_WORK_HOURS = 24


def jobs_for_user(user: Any) -> QuerySet[Job]:
    """The jobs that `user` may see: their own."""
    return Job.objects.filter(owner=user) if user.is_authenticated and user.is_active else Job.objects.none()


def job_for_user(user: Any, job_id: uuid.UUID) -> Job:
    """The job; Job.DoesNotExist for a stranger as for an id that was never given out."""
    return jobs_for_user(user).get(pk=job_id)


def submit(
    *,
    owner: User,
    kind: str,
    title: str,
    arguments: dict[str, Any],
    subject_id: uuid.UUID | None = None,
    run_here: bool = False,
) -> Job:
    """A queued job, whose worker is called once the transaction is committed.

    With `run_here` the job is already claimed by this process, which then calls `run_claimed`.
    """
    job = Job(
        owner=owner,
        kind=kind,
        queue=kind_of(kind).queue,
        title=title[:200],
        arguments=arguments,
        subject_id=subject_id,
    )
    if run_here:
        now = timezone.now()
        job.state, job.attempt, job.worker = State.RUNNING, 1, this_worker()
        job.started_at = job.heartbeat_at = now
    job.save(force_insert=True)
    events.record(job, "state", {"state": job.state})
    if not run_here:
        transaction.on_commit(lambda: ring(job))
    return job


def ring(job: Job) -> None:
    """A worker of the job's queue will look at it, if the broker can be reached; else the reaper rings later."""
    from botfactory.jobs.tasks import run_job

    try:
        run_job.apply_async(args=(str(job.pk),), queue=job.queue, retry=False)
    except Exception as error:
        logger.warning("job %s: the broker cannot be reached (%s); it is called again later", job.pk, error)
        return
    Job.objects.filter(pk=job.pk).update(rung_at=timezone.now())


def this_worker() -> str:
    return f"{platform.node()}:{os.getpid()}"


def claim(job_id: uuid.UUID) -> Job | None:
    """The job, now running here; None when it is not to be had (taken, ended, waiting for its time, or deleted)."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        return None
    if is_abandoned(job):
        interrupt(job)
    now = timezone.now()
    claimed = Job.objects.filter(pk=job_id, state__in=CLAIMABLE, available_at__lte=now).update(
        state=State.RUNNING,
        attempt=F("attempt") + 1,
        worker=this_worker(),
        heartbeat_at=now,
        started_at=Coalesce(F("started_at"), now),
    )
    if not claimed:
        return None
    events.record(job, "state", {"state": State.RUNNING})
    events.announce_queue(job.queue)
    return job


def run(job_id: uuid.UUID) -> None:
    """The job has been run as far as this attempt goes, if it could be claimed."""
    job = claim(job_id)
    if job is not None:
        run_claimed(job)


def run_claimed(job: Job, *, listener: Listener | None = None) -> Job:
    """A job claimed by this process has ended, or waits for its time. Errors end up in the row, not here."""
    kind = kind_of(job.kind)
    handle = JobHandle(job, listener=listener)
    try:
        with handle:
            handle.check()
            result = kind.run(handle)
        _end(handle, State.SUCCEEDED, result=result)
    except JobCancelled:
        _end(handle, State.CANCELLED)
    except ComeBackLater as pause:
        _put_back(handle, at=pause.at, message=str(pause))
    except JobFailed as failure:
        _end(handle, State.FAILED, code=failure.code, message=str(failure))
    except LostClaim:
        logger.warning("job %s: attempt %s was overtaken and writes nothing more", job.pk, handle.attempt)
    except KeyboardInterrupt:
        _end(handle, State.CANCELLED)
        raise
    except Exception:
        logger.exception("job %s: attempt %s failed", job.pk, handle.attempt)
        message = (
            "Something went wrong on our side; nothing you brought is lost. Try again, and if it fails again, "
            f"ask your administrator to look for job {job.pk} in the logs."
        )
        _end(handle, State.FAILED, code="internal_error", message=message)
    job.refresh_from_db()
    return job


def _end(
    handle: JobHandle, state: State, *, result: dict[str, Any] | None = None, code: str = "", message: str = ""
) -> None:
    job = handle.job
    mine = Job.objects.filter(pk=job.pk, attempt=handle.attempt)
    values = {
        "result": result or {},
        "error_code": code,
        "error_message": message,
        "finished_at": timezone.now(),
    }
    ended = mine.filter(state__in=sources_of(state) & HELD).update(state=state, **values)
    if not ended and state == State.FAILED:
        # The owner cancelled in the meantime: a cancel never ends as failed.
        state = State.CANCELLED
        values |= {"error_code": "", "error_message": ""}
        ended = mine.filter(state=State.CANCELLING).update(state=state, **values)
    if not ended:
        logger.warning("job %s: attempt %s ended as %s after another took over", job.pk, handle.attempt, state)
        return
    _after_end(job, state)


def _after_end(job: Job, state: State) -> None:
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


def _put_back(handle: JobHandle, *, at: datetime, message: str) -> None:
    job = handle.job
    back = Job.objects.filter(pk=job.pk, attempt=handle.attempt, state=State.RUNNING).update(
        state=State.QUEUED,
        available_at=at,
        progress={**job.progress, "phase": "waiting", "until": at.isoformat(), "message": message},
    )
    if back:
        events.record(job, "waiting", {"until": at.isoformat(), "message": message})
    else:
        _end(handle, State.CANCELLED)


def cancel(job: Job) -> Job:
    """The job is cancelled, or will be as soon as its worker looks (state cancelling)."""
    rows = Job.objects.filter(pk=job.pk)
    if rows.filter(state__in=CLAIMABLE).update(state=State.CANCELLED, finished_at=timezone.now()):
        _after_end(job, State.CANCELLED)
    elif rows.filter(state=State.RUNNING).update(state=State.CANCELLING):
        events.record(job, "state", {"state": State.CANCELLING})
    job.refresh_from_db()
    if job.state not in {State.CANCELLED, State.CANCELLING}:
        raise NotPossible(f"This job has already ended ({job.state}), so there is nothing to cancel.")
    return job


def stop(job: Job) -> Job:
    """The job's worker will stop at its next look and keep the best that it has; it then ends as succeeded."""
    if not Job.objects.filter(pk=job.pk, state=State.RUNNING).update(stop_requested=True):
        job.refresh_from_db()
        raise NotPossible(f"Only a running job can be stopped; this one is {job.state}.")
    events.record(job, "stop", {})
    return job


def retry(job: Job) -> Job:
    """An ended job that did not succeed is queued again; it goes on from what its last attempt has kept."""
    again = Job.objects.filter(pk=job.pk, state__in=sources_of(State.QUEUED) & ENDED).update(
        state=State.QUEUED,
        stop_requested=False,
        interruptions=0,
        error_code="",
        error_message="",
        finished_at=None,
        available_at=timezone.now(),
        created_at=timezone.now(),
        progress={},
    )
    if not again:
        job.refresh_from_db()
        raise NotPossible(f"Only a failed or cancelled job can be tried again; this one is {job.state}.")
    events.record(job, "state", {"state": State.QUEUED})
    transaction.on_commit(lambda: ring(job))
    return job


def delete_jobs(jobs: QuerySet[Job]) -> None:
    """The jobs are gone with their events and work folders. A worker that holds one notices and stops."""
    for job in list(jobs):
        Job.objects.filter(pk=job.pk).delete()
        discard_work_dir(job)


def is_abandoned(job: Job) -> bool:
    """Whether nobody works on a job marked as held: its heartbeat is old, or its process on this host is gone."""
    if job.state not in HELD:
        return False
    stale = timezone.now() - timedelta(seconds=settings.JOB_STALE_SECONDS)
    if job.heartbeat_at is None or job.heartbeat_at < stale:
        return True
    host, _, pid = job.worker.rpartition(":")
    if host != platform.node() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def interrupt(job: Job, *, is_loss: bool = True) -> None:
    """An abandoned job waits for its next attempt, or has ended when it was being cancelled or was lost too often.

    Without `is_loss` this one does not count: its worker was stopped on purpose.
    """
    most = settings.JOB_MAX_ATTEMPTS - 1 if is_loss else 2**31 - 1
    held = Job.objects.filter(pk=job.pk, attempt=job.attempt, heartbeat_at=job.heartbeat_at)
    now = timezone.now()
    if held.filter(state=State.CANCELLING).update(state=State.CANCELLED, finished_at=now):
        _after_end(job, State.CANCELLED)
    elif held.filter(state=State.RUNNING, interruptions__gte=most).update(
        state=State.FAILED,
        finished_at=now,
        error_code="worker_lost",
        error_message=(
            f"The worker stopped in the middle of this job {settings.JOB_MAX_ATTEMPTS} times. The machine may be out "
            "of memory: try a smaller corpus, or ask your administrator to look at the logs. What was learned is kept: "
            "Try again goes on from the last epoch."
        ),
    ):
        _after_end(job, State.FAILED)
    elif held.filter(state=State.RUNNING).update(
        state=State.INTERRUPTED, interruptions=F("interruptions") + int(is_loss), available_at=now
    ):
        events.record(job, "state", {"state": State.INTERRUPTED})


def hand_back() -> None:
    """Jobs of processes of this host that are gone wait for their next attempt, without counting as lost."""
    for job in Job.objects.filter(state__in=HELD):
        if is_abandoned(job):
            interrupt(job, is_loss=False)


def reap() -> int:
    """Abandoned jobs are back in the queue, and the head of each queue is called again. Returns how many were."""
    for job in Job.objects.filter(state__in=HELD):
        if is_abandoned(job):
            logger.warning("job %s: its worker %s is gone", job.pk, job.worker)
            interrupt(job)
    _clear_old_work()
    now = timezone.now()
    unheard = Q(rung_at__isnull=True) | Q(rung_at__lt=F("available_at"))
    unheard |= Q(rung_at__lt=now - timedelta(seconds=RING_AGAIN_SECONDS))
    called = 0
    for queue in Job.objects.filter(state__in=CLAIMABLE).order_by().values_list("queue", flat=True).distinct():
        waiting = Job.objects.filter(queue=queue, state__in=CLAIMABLE, available_at__lte=now).order_by("created_at")
        # Only the head: a long queue behind a long training must not fill the broker with copies of itself.
        head = waiting.first()
        if head is not None and waiting.filter(unheard, pk=head.pk).exists():
            ring(head)
            called += 1
    return called


def _clear_old_work() -> None:
    """Work folders that no retry has come back to, and those of deleted jobs, are gone."""
    folder = Path(settings.JOBS_DIR)
    known = [path.name for path in folder.iterdir() if is_uuid(path.name)] if folder.is_dir() else []
    if not known:
        return
    recent = timezone.now() - timedelta(hours=KEEP_WORK_HOURS)
    needed = Job.objects.filter(pk__in=known).exclude(state__in=ENDED, finished_at__lt=recent)
    for name in set(known) - {str(pk) for pk in needed.values_list("pk", flat=True)}:
        shutil.rmtree(folder / name, ignore_errors=True)


def is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def active_jobs(jobs: QuerySet[Job]) -> QuerySet[Job]:
    return jobs.filter(state__in=ACTIVE)
