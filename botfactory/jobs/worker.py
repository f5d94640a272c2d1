"""One attempt at a job: claimed by one conditional UPDATE, run, and ended or put back."""

from __future__ import annotations

import contextlib
import logging
import os
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from botfactory.accounts import limits, locking
from botfactory.jobs import events, interruptions, processes, services, turns, usage
from botfactory.jobs.ending import end
from botfactory.jobs.errors import ComeBackLater, JobCancelled, JobFailed, LostClaim
from botfactory.jobs.handle import JobHandle, Listener
from botfactory.jobs.kinds import kind_of
from botfactory.jobs.models import Job
from botfactory.jobs.reaper import interrupt, is_gone
from botfactory.jobs.states import CLAIMABLE, HELD, State, sources_of
from botfactory.outages.errors import Cause, classify
from botfactory.words.translatable import Sentence, counted_sentence, mark
from botfactory.words.translation import stored

logger = logging.getLogger(__name__)

#: How long to retry writing the end of an attempt while the database is away.
PATIENCE_SECONDS = 600.0
FIRST_TRY_AGAIN_SECONDS = 0.5
LONGEST_TRY_AGAIN_SECONDS = 5.0

Result = TypeVar("Result")


def claim(job_id: uuid.UUID) -> Job | None:
    """Claim the job and return it; None if that isn't possible.

    It may be taken, ended, deleted or waiting for its time, or its owner may be at the limit of running jobs.
    """
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        return None
    # Whether a silent worker is dead is for the reaper to say: it knows whether workers could write.
    if is_gone(job):
        interrupt(job)
    now = timezone.now()
    with transaction.atomic():
        # Two workers that take jobs of one person at once must not both find room under the limit.
        locking.lock(job.owner_id)
        if turns.is_at_limit(job.owner_id):
            return None
        claimed = Job.objects.filter(pk=job_id, state__in=CLAIMABLE, available_at__lte=now).update(
            state=State.RUNNING,
            attempt=F("attempt") + 1,
            worker=processes.name_of(os.getpid()),
            at_terminal=False,
            heartbeat_at=now,
            claimed_at=now,
            started_at=Coalesce(F("started_at"), now),
        )
        if not claimed:
            return None
        if kind_of(job.kind).counts:
            turns.take_turn(job, now)
        events.record(job, "state", {"state": State.RUNNING})
    events.announce_queue(job.queue)
    return job


def claim_next(queue: str) -> Job | None:
    """Claim the job of the queue whose turn it is and return it; None if none can run now."""
    for job in Job.objects.filter(queue=queue, state__in=HELD):
        # A dead worker's message comes again at once. Its job has begun, so it continues first.
        if is_gone(job):
            interrupt(job)
    tried: set[uuid.UUID] = set()
    while ready := [job_id for job_id in turns.line_of(queue).ready if job_id not in tried]:
        claimed = claim(ready[0])
        if claimed is not None:
            return claimed
        # Another worker was faster, and it is somebody else's turn now.
        tried.add(ready[0])
    return None


def run_next(queue: str) -> None:
    """Run one attempt at the job whose turn it is, if there is one."""
    job = claim_next(queue)
    if job is not None:
        run_claimed(job)


def run(job_id: uuid.UUID) -> None:
    """Run one attempt at this job, whosever turn it is, if it can be claimed."""
    job = claim(job_id)
    if job is not None:
        run_claimed(job)


def run_claimed(job: Job, *, listener: Listener | None = None) -> Job:
    """Run a job that this process has claimed, until it ends or waits again. Errors go into its row."""
    kind = kind_of(job.kind)
    handle = JobHandle(job, listener=listener)
    try:
        with handle:
            handle.check()
            if job.progress.get("cause") == Cause.DISK:
                interruptions.require_room([Path(settings.JOBS_DIR), Path(settings.CHECKPOINTS_DIR)])
            result = kind.run(handle)
        _end(handle, State.SUCCEEDED, result=result)
    except JobCancelled:
        _end(handle, State.CANCELLED)
    except ComeBackLater as pause:
        _put_back(handle, at=pause.at, said=pause.said, cause=pause.cause)
    except JobFailed as failure:
        # What we were given may be fine, and the machine was at fault.
        cause = classify(failure)
        if cause in (Cause.DISK, Cause.FILES):
            _interrupted(handle, cause, failure)
        else:
            _end(handle, State.FAILED, code=failure.code, said=failure.said)
    except LostClaim:
        logger.warning("job %s: attempt %s was overtaken and writes nothing more", job.pk, handle.attempt)
    except SoftTimeLimitExceeded:
        minutes = settings.JOB_TIME_LIMIT_MINUTES
        said = counted_sentence(
            "This took longer than %(count)s minute, the most that a job may take. %(to_take_less)s Your "
            "administrator can raise JOB_TIME_LIMIT_MINUTES.",
            "This took longer than %(count)s minutes, the most that a job may take. %(to_take_less)s Your "
            "administrator can raise JOB_TIME_LIMIT_MINUTES.",
            minutes,
            to_take_less=Sentence(str(kind.to_take_less)),
        )
        _end(handle, State.FAILED, code="time_limit", said=said)
    except KeyboardInterrupt:
        _end(handle, State.CANCELLED)
        raise
    except Exception as error:
        cause = classify(error)
        if cause is not None:
            _interrupted(handle, cause, error)
        else:
            logger.exception("job %s: attempt %s failed", job.pk, handle.attempt)
            message = mark(
                "Something went wrong on our side. Your posts are still here. Try again. If it fails again, ask your "
                "administrator to look for job %(job)s in the logs."
            )
            _end(handle, State.FAILED, code="internal_error", said=Sentence(message, job=str(job.pk)))
    with contextlib.suppress(Job.DoesNotExist):  # deleted in the meantime, with what it was about
        job.refresh_from_db()
    _ring_for_the_next_of(job.owner_id)
    return job


def _ring_for_the_next_of(owner: int) -> None:
    """Call workers for the person's jobs that a limit held back: their own messages were used up."""
    if limits.limits_of_all([owner])[owner].running_jobs is None:
        return
    waiting = Job.objects.filter(owner=owner, state__in=CLAIMABLE, available_at__lte=timezone.now())
    for queue in waiting.order_by().values_list("queue", flat=True).distinct():
        first = waiting.filter(queue=queue).order_by("created_at").first()
        if first is not None:
            services.ring(first)


def _interrupted(handle: JobHandle, cause: Cause, error: Exception) -> None:
    """Put the job back after a failure of the machine, or end it if that happened too often in a row."""
    job, reaction, now = handle.job, interruptions.REACTIONS[cause], timezone.now()
    logger.warning("job %s: attempt %s was interrupted (%s): %s", job.pk, handle.attempt, cause, error)
    number = _patiently(lambda: interruptions.setbacks(job, cause)) + 1
    if reaction.most is not None and number >= reaction.most:
        less = Sentence(str(kind_of(job.kind).to_take_less))
        said = Sentence(str(reaction.given_up), times=reaction.most, to_take_less=less)
        _end(handle, State.FAILED, code=reaction.code, said=said)
        return
    _put_back(handle, at=now + interruptions.pause(cause, number), said=str(reaction.sentence), cause=cause)


def _patiently(act: Callable[[], Result]) -> Result:
    """Return what `act` returns. Try again while the database is away or its disk is full.

    After PATIENCE_SECONDS without the database, raise the error; the reaper then finds the silent attempt. Wait
    endlessly for a full disk, since nothing can be written before.
    """
    give_up = time.monotonic() + PATIENCE_SECONDS
    pause = FIRST_TRY_AGAIN_SECONDS
    while True:
        try:
            # A connection that was cut is useless. Django then opens another.
            connection.close_if_unusable_or_obsolete()
            return act()
        except Exception as error:
            cause = classify(error)
            is_gone = cause == Cause.DISK or (cause == Cause.DATABASE and time.monotonic() < give_up)
            if connection.in_atomic_block or not is_gone:
                raise
            logger.warning("what came of a job cannot be written yet (%s): %s", cause, error)
            connection.close()
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_TRY_AGAIN_SECONDS)


def _end(
    handle: JobHandle, state: State, *, result: dict[str, Any] | None = None, code: str = "", said: object = ""
) -> None:
    job = handle.job
    mine = Job.objects.filter(pk=job.pk, attempt=handle.attempt)
    values: dict[str, Any] = {
        "result": result or {},
        "error_code": code,
        "said": said,
        "worked_until": timezone.now(),
    }
    ended = _patiently(lambda: end(mine.filter(state__in=sources_of(state) & HELD), state, **values))
    if not ended and state == State.FAILED:
        # The owner cancelled in the meantime: a cancel never ends as failed.
        state = State.CANCELLED
        values |= {"error_code": "", "said": ""}
        ended = _patiently(lambda: end(mine.filter(state=State.CANCELLING), State.CANCELLED, **values))
    if not ended:
        logger.warning("job %s: attempt %s ended as %s after another took over", job.pk, handle.attempt, state)


def _put_back(handle: JobHandle, *, at: datetime, said: object, cause: str = "") -> None:
    job, worked_until = handle.job, timezone.now()
    words = stored(said)
    told = {"until": at.isoformat(), "message": str(said)} | ({"words": words} if words else {})
    told |= {"cause": cause} if cause else {}
    progress = _unpaused(job.progress) | {"phase": "waiting"} | told

    def put_back() -> bool:
        with transaction.atomic():
            back = Job.objects.filter(pk=job.pk, attempt=handle.attempt, state=State.RUNNING).update(
                state=State.QUEUED,
                available_at=at,
                progress=progress,
            )
            if back:
                usage.charge(job, worked_until)
                events.record(job, "waiting", told)
        return bool(back)

    if not _patiently(put_back):
        _end(handle, State.CANCELLED)
    elif at <= timezone.now():
        # It goes on as soon as it's its turn, maybe in another worker, rather than when the reaper next looks.
        services.ring(job)


def _unpaused(progress: dict[str, Any]) -> dict[str, Any]:
    """Return the progress without the data of an earlier pause."""
    return {name: value for name, value in progress.items() if name not in {"until", "message", "words", "cause"}}
