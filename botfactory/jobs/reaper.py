"""Find jobs that nobody works on any more, and doorbells that nobody has answered."""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
import time
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q
from django.utils import timezone

from botfactory.jobs import events, processes, services, turns, usage, write_lock
from botfactory.jobs.ending import end
from botfactory.jobs.handle import STAGED
from botfactory.jobs.kinds import kind_of
from botfactory.jobs.models import KEEP_WORK_HOURS, Job
from botfactory.jobs.states import CLAIMABLE, ENDED, HELD, State
from botfactory.words.translatable import Sentence, mark

logger = logging.getLogger(__name__)

#: A doorbell that nobody has answered for so long is rung again: the broker may have lost it.
RING_AGAIN_SECONDS = 30
#: After this time, a folder without a job doesn't get one any more.
HANDED_OVER_WITHIN: Final = timedelta(hours=1)


def is_abandoned(job: Job) -> bool:
    """Return whether nobody works on a held job: its heartbeat is old, or its process is gone."""
    return is_silent(job, timezone.now()) or is_gone(job)


def is_silent(job: Job, now: datetime) -> bool:
    """Return whether the heartbeat of a held job is old. Its worker may live, if it could write none."""
    if job.state not in HELD:
        return False
    return job.heartbeat_at is None or job.heartbeat_at < now - timedelta(seconds=settings.JOB_STALE_SECONDS)


def is_gone(job: Job) -> bool:
    """Return whether the process of a held job ran here and is gone."""
    return job.state in HELD and processes.is_gone(job.worker)


def interrupt(job: Job, *, is_loss: bool = True) -> None:
    """Put an abandoned job back for its next attempt. End it if it was being cancelled or was lost too often in a row.

    Without `is_loss`, this time doesn't count, because its worker was stopped on purpose.
    """
    kind = kind_of(job.kind)
    most = settings.JOB_MAX_ATTEMPTS - 1 if is_loss else 2**31 - 1
    held = Job.objects.filter(pk=job.pk, attempt=job.attempt, heartbeat_at=job.heartbeat_at)
    now = timezone.now()
    # Its last sign of life: a machine that was off trained nothing after it.
    until = job.heartbeat_at or now
    if end(held.filter(state=State.CANCELLING), State.CANCELLED, worked_until=until):
        return
    if end(
        held.filter(state=State.RUNNING, interruptions__gte=most),
        State.FAILED,
        worked_until=until,
        error_code="worker_lost",
        said=Sentence(
            mark(
                "The worker stopped %(times)s times in the middle of this job. The machine may be out of memory. "
                "%(to_take_less)s Ask your administrator to look at the logs. %(kept)s"
            ),
            times=settings.JOB_MAX_ATTEMPTS,
            to_take_less=Sentence(str(kind.to_take_less)),
            kept=Sentence(str(kind.kept)),
        ),
    ):
        return
    with transaction.atomic():
        if held.filter(state=State.RUNNING).update(
            state=State.INTERRUPTED, interruptions=F("interruptions") + int(is_loss), available_at=now
        ):
            usage.charge(job, until)
            events.record(job, "state", {"state": State.INTERRUPTED})


def hand_back() -> None:
    """Put back the jobs of processes here that are gone, without counting them as lost."""
    for job in Job.objects.filter(state__in=HELD):
        if is_abandoned(job):
            interrupt(job, is_loss=False)


def reap(*, by_silence: bool = True) -> int:
    """Put abandoned jobs back and call the head of each queue again; return how many heads were called.

    Without `by_silence`, only those whose process is gone are abandoned.
    """
    # Before the query: if the database hangs, the workers can't write either.
    now = timezone.now()
    for job in Job.objects.filter(state__in=HELD):
        if is_gone(job) or (by_silence and is_silent(job, now)):
            logger.warning("job %s: its worker %s is gone", job.pk, job.worker)
            interrupt(job)
    _clear_old_work()
    unheard = Q(rung_at__isnull=True) | Q(rung_at__lt=F("available_at"))
    unheard |= Q(rung_at__lt=timezone.now() - timedelta(seconds=RING_AGAIN_SECONDS))
    called = 0
    for queue in Job.objects.filter(state__in=CLAIMABLE).order_by().values_list("queue", flat=True).distinct():
        # Only the head: a long queue behind a long training must not fill the broker with copies of itself.
        head = Job.objects.filter(unheard, pk__in=turns.line_of(queue).ready[:1]).first()
        if head is not None:
            services.ring(head)
            called += 1
    return called


class Watch:
    """The scheduler's duty to reap.

    Workers that could write no heartbeat aren't dead. When the database was away or locked, the machine slept or its
    clock was set, they have JOB_STALE_SECONDS to be heard again.
    """

    def __init__(self) -> None:
        self._looked: datetime | None = None
        self._judges_at = -math.inf
        self._lock = write_lock.Watch()

    def look(self) -> None:
        now = timezone.now()
        missed = (now - (self._looked or now)).total_seconds() - settings.JOB_REAP_SECONDS
        self._looked = now
        if missed > settings.JOB_STALE_SECONDS / 2:
            logger.warning("nobody has looked after jobs for %.0f s, so silent workers get time to be heard", missed)
            self._judges_at = time.monotonic() + settings.JOB_STALE_SECONDS
        try:
            # No duty can do anything while nobody can write, so this one goes on looking until the worker in the way is
            # ended. A process without a job isn't.
            give_up_at = time.monotonic() + settings.JOB_STALE_SECONDS + 3 * write_lock.PATIENCE_SECONDS
            while self._lock.is_blocked():
                self._judges_at = time.monotonic() + settings.JOB_STALE_SECONDS
                if time.monotonic() >= give_up_at:
                    return
            reap(by_silence=time.monotonic() >= self._judges_at)
        except (OperationalError, InterfaceError):
            self._judges_at = time.monotonic() + settings.JOB_STALE_SECONDS
            raise


def _clear_old_work() -> None:
    """Delete work folders that no retry has come back to, and those of jobs that succeeded or don't exist."""
    folder = Path(settings.JOBS_DIR)
    recent = timezone.now() - timedelta(hours=KEEP_WORK_HOURS)
    for staged in folder.glob(f"{STAGED}*"):
        # Requests delete theirs, unless their process is killed.
        with contextlib.suppress(FileNotFoundError):
            if staged.stat().st_mtime < recent.timestamp():
                shutil.rmtree(staged, ignore_errors=True)
    known = {path.name for path in folder.iterdir() if is_uuid(path.name)} if folder.is_dir() else set()
    if not known:
        return
    jobs = Job.objects.filter(pk__in=known)
    needed = jobs.exclude(state=State.SUCCEEDED).exclude(state__in=ENDED, finished_at__lt=recent)
    there, kept = ({str(pk) for pk in rows.values_list("pk", flat=True)} for rows in (jobs, needed))
    for name in known - kept:
        # An upload gets the name of its job before that is committed.
        if name in there or _has_waited_for_its_job(folder / name):
            shutil.rmtree(folder / name, ignore_errors=True)


def _has_waited_for_its_job(folder: Path) -> bool:
    """Return whether a folder without a job is so old that it doesn't get one any more."""
    with contextlib.suppress(FileNotFoundError):
        status = folder.stat()
        # A move keeps st_mtime and sets st_ctime.
        return time.time() - max(status.st_mtime, status.st_ctime) >= HANDED_OVER_WITHIN.total_seconds()
    return False


def is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
