"""Submit, cancel, stop, retry and delete jobs. Every step is one conditional UPDATE."""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Case, Exists, Max, OuterRef, QuerySet, Value, When
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from botfactory.broker import doorbell
from botfactory.jobs import events, processes, usage
from botfactory.jobs.ending import discard_attempts, end, settle
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.handle import discard_work_dir
from botfactory.jobs.kinds import kind_of, registered
from botfactory.jobs.models import Job
from botfactory.jobs.states import ACTIVE, CLAIMABLE, ENDED, HELD, State, sources_of
from botfactory.rest import idempotency
from botfactory.web.listing import holding
from botfactory.words.translation import stored

logger = logging.getLogger(__name__)

#: The task that takes the messages of a queue (jobs/tasks.py).
RUN_NEXT: Final = "botfactory.jobs.tasks.run_next"
#: How often a cancel starts over because a worker has put the job back in the middle of it.
MAX_CANCEL_ATTEMPTS: Final = 3


def jobs_for_user(user: Any) -> QuerySet[Job]:
    """Return the jobs that `user` may see: their own."""
    return Job.objects.filter(owner=user) if user.is_authenticated and user.is_active else Job.objects.none()


def job_for_user(user: Any, job_id: uuid.UUID) -> Job:
    """Return the job; Job.DoesNotExist if it belongs to somebody else or doesn't exist."""
    return jobs_for_user(user).get(pk=job_id)


def find(jobs: QuerySet[Job], *, words: str = "", kind: str = "", state: str = "", sort: str = "") -> QuerySet[Job]:
    """Return the jobs with all the words in their title, of this kind and in this state ("active": not ended).

    `sort`: "oldest", "title", or "" for active ones first, then the newest.
    """
    if state:
        jobs = active_jobs(jobs) if state == "active" else jobs.filter(state=state)
    if kind:
        jobs = jobs.filter(kind=kind)
    at_work = Case(When(state__in=ACTIVE, then=Value(0)), default=Value(1))
    orders: dict[str, tuple[Any, ...]] = {
        "oldest": ("created_at", "pk"),
        "title": (Lower("title"), "-created_at", "pk"),
        "": (at_work, "-created_at", "pk"),
    }
    return jobs.filter(holding(words, "title")).order_by(*orders[sort])


def to_try_again(jobs: QuerySet[Job], *, since: datetime) -> QuerySet[Job]:
    """Return the jobs that have failed since then and that no newer job of the same kind has made up for.

    A newer job about the same thing counts, however it ends: whoever began it has seen the failure.
    """
    newer = Job.objects.filter(
        owner=OuterRef("owner"),
        kind=OuterRef("kind"),
        subject_id=OuterRef("subject_id"),
        created_at__gt=OuterRef("created_at"),
    )
    failed = jobs.filter(state=State.FAILED, finished_at__gte=since)
    return failed.exclude(Exists(newer)).order_by("-finished_at", "pk")


def submit(
    *,
    owner: User,
    kind: str,
    title: str,
    arguments: dict[str, Any],
    subject_id: uuid.UUID | None = None,
    run_here: bool = False,
    is_owed: bool = False,
) -> Job:
    """Queue a job and call a worker once the transaction is committed. LimitReached if the owner is at a limit.

    With `run_here`, this process has claimed the job already and then calls `run_claimed`. That is a command of the
    operator: the limits of its owner don't stop it, but what it makes counts. Nor do they with `is_owed`: the product
    finishes what an earlier job has begun.
    """
    job = Job(
        owner=owner,
        kind=kind,
        queue=registered(kind).queue,
        title=title[:200],
        words={"title": stored(title)},
        arguments=arguments,
        subject_id=subject_id,
        priority=_usual_priority(kind),
    )
    if run_here:
        now = timezone.now()
        job.state, job.attempt, job.worker = State.RUNNING, 1, processes.name_of(os.getpid())
        job.started_at = job.heartbeat_at = job.claimed_at = now
        job.at_terminal = True
    with transaction.atomic():
        if not (run_here or is_owed):
            usage.require_room(job)
        job.save(force_insert=True)
        events.record(job, "state", {"state": job.state})
        if not run_here:
            transaction.on_commit(lambda: ring(job))
    return job


def ring(job: Job) -> None:
    """Call a worker to the job's queue. If the broker can't be reached, the reaper rings later.

    The message names no job. The worker takes the one whose turn it is by then.
    """
    try:
        doorbell.ring(RUN_NEXT, job.queue, queue=job.queue)
    except Exception as error:
        logger.warning("job %s: the broker cannot be reached (%s); it is called again later", job.pk, error)
        return
    Job.objects.filter(pk=job.pk).update(rung_at=timezone.now())


def cancel(job: Job) -> Job:
    """Cancel the job, or have its worker do so at its next look (state cancelling). NotPossible if it has ended."""
    for _attempt in range(MAX_CANCEL_ATTEMPTS):
        is_taken = _cancel_once(job)
        job.refresh_from_db()
        if is_taken or job.state not in CLAIMABLE | {State.RUNNING}:
            break
    if job.state not in {State.CANCELLED, State.CANCELLING}:
        raise NotPossible(_("This job has already ended, so there is nothing to cancel."))
    return job


def _cancel_once(job: Job) -> bool:
    """Cancel a waiting job, or tell the worker of a running one to; return whether it was found as either.

    It isn't if it has ended, or if its worker puts it back between the two steps.
    """
    rows = Job.objects.filter(pk=job.pk)
    if end(rows.filter(state__in=CLAIMABLE), State.CANCELLED):
        return True
    # Its worker may end it at once. With both in one transaction, the event of that comes after this one.
    with transaction.atomic():
        if not rows.filter(state=State.RUNNING).update(state=State.CANCELLING):
            return False
        events.record(job, "state", {"state": State.CANCELLING})
    return True


def asks_before_cancel(job: Job) -> bool:
    """Return whether a cancel throws away what `stop` would keep, so that its owner is asked first."""
    return job.state == State.RUNNING and not job.stop_requested and kind_of(job.kind).keeps_the_best is not None


def cancel_all(jobs: QuerySet[Job]) -> int:
    """Cancel those of the jobs that have not ended; return how many."""
    count = 0
    for job in active_jobs(jobs):
        # One may end in the meantime.
        with contextlib.suppress(NotPossible):
            cancel(job)
            count += 1
    return count


def stop(job: Job) -> Job:
    """Have the job's worker stop at its next look and keep the best that it has. It then ends as succeeded."""
    if kind_of(job.kind).keeps_the_best is None:
        raise NotPossible(_("This job has nothing to keep when it stops early. You can cancel it."))
    with transaction.atomic():
        if not Job.objects.filter(pk=job.pk, state=State.RUNNING).update(stop_requested=True):
            job.refresh_from_db()
            raise NotPossible(_("Only a running job can be stopped."))
        events.record(job, "stop", {})
    return job


def retry(job: Job) -> Job:
    """Queue a failed or cancelled job again. It continues from what its last attempt has kept.

    LimitReached if its owner is at a limit, as for a new one; NotPossible if its kind objects (JobKind.may_start).
    """
    again = Job.objects.filter(pk=job.pk, state__in=sources_of(State.QUEUED) & ENDED)
    may_start = kind_of(job.kind).may_start
    with transaction.atomic():
        # Two retries at once come one after the other.
        if again.select_for_update().first() is not None:
            if may_start is not None:
                may_start(job)
            usage.require_room(job)
        queued = again.update(
            state=State.QUEUED,
            stop_requested=False,
            interruptions=0,
            priority=_usual_priority(job.kind),
            reserved=job.reserved,
            error_code="",
            error_message="",
            words={name: words for name, words in job.words.items() if name != "error"},
            started_at=None,
            finished_at=None,
            available_at=timezone.now(),
            created_at=timezone.now(),
            progress={},
        )
        if not queued:
            job.refresh_from_db()
            raise NotPossible(_("Only a failed or cancelled job can be tried again."))
        events.record(job, "state", {"state": State.QUEUED})
        transaction.on_commit(lambda: ring(job))
    return job


def _usual_priority(kind: str) -> int:
    return -1 if kind_of(kind).preemptible else 0


def move_to_back(job: Job) -> None:
    """Let the waiting job run only when no other waits in its queue. Call it in the transaction that submitted it."""
    Job.objects.filter(pk=job.pk, state__in=CLAIMABLE).update(priority=-1)


def move_to_front(job: Job) -> Job:
    """Make the job the next of its queue, before everybody's turn and before what was moved there earlier.

    A preemptible job then no longer gives way.
    """
    waiting = Job.objects.filter(queue=job.queue, state__in=CLAIMABLE)
    with transaction.atomic():
        highest = waiting.aggregate(highest=Max("priority"))["highest"] or 0
        moved = waiting.filter(pk=job.pk).update(priority=max(0, highest) + 1)
    job.refresh_from_db()
    if not moved:
        raise NotPossible(_("Only a waiting job can be moved to the front."))
    events.announce_queue(job.queue)
    return job


def delete_jobs(jobs: QuerySet[Job], *, with_subject: bool = False) -> int:
    """Delete the jobs with their events and work folders; return how many. A worker that holds one notices and stops.

    This charges what a running job has used, since its worker can't any more, and brings what an unfinished one was
    about in line, unless that is about to be deleted, too (`with_subject`).
    """
    chosen = list(jobs.all())
    for job in chosen:
        with transaction.atomic():
            # Locked even if it has ended: a retry must not queue it again meanwhile.
            held = Job.objects.select_for_update().filter(pk=job.pk).first()
            if held is not None and held.state in HELD:
                usage.charge(held, timezone.now())
            if held is not None and not held.is_ended and not with_subject:
                settle(held)
            Job.objects.filter(pk=job.pk).delete()
            discard_work_dir(job)
            discard_attempts(job)
    return len(chosen)


def delete_ended(job: Job) -> None:
    """Delete a job that has ended, with its events and work folder. What it made stays. Raises NotPossible."""
    with transaction.atomic():
        held = Job.objects.select_for_update().filter(pk=job.pk).first()
        if held is not None and not held.is_ended:
            raise NotPossible(_("This job hasn’t ended. Cancel it, then you can delete it."))
        idempotency.forget(job.pk)
        delete_jobs(Job.objects.filter(pk=job.pk))


def active_jobs(jobs: QuerySet[Job]) -> QuerySet[Job]:
    return jobs.filter(state__in=ACTIVE)
