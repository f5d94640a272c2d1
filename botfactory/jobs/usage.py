"""What jobs count against the limits of their owners."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from functools import partial

from django.utils import timezone

from botfactory.accounts import limits, meters
from botfactory.accounts.models import User
from botfactory.jobs.kinds import kind_of, kinds_metered_by
from botfactory.jobs.models import Job
from botfactory.jobs.states import ACTIVE, CLAIMABLE, HELD

#: Counted by their number; jobs can reserve amounts of every other limit (JobKind.needs), or use up minutes (`meter`).
_BY_NUMBER = ("queued_jobs", "running_jobs")


def require_room(job: Job) -> None:
    """Note in the job what it needs; LimitReached if its owner may not have one more.

    Call it inside the transaction that queues the job, like `limits.require_room`.
    """
    needs = kind_of(job.kind).needs
    job.reserved = dict(needs(job)) if needs is not None else {}
    limits.require_room(job.owner, {"queued_jobs": 1, **job.reserved})


def charge(job: Job, until: datetime) -> None:
    """Charge the owner for the time from the claim of a job until then, if its kind is metered."""
    meter = kind_of(job.kind).meter
    start = job.claimed_at
    while meter and start is not None and start < until:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        end = min(until, midnight)
        meters.add(job.owner_id, meter, f"{start:%Y-%m-%d}", round((end - start).total_seconds()))
        start = end


def register() -> None:
    """Register what jobs count with the limits."""
    limits.register_counter("queued_jobs", lambda user: Job.objects.filter(owner=user, state__in=CLAIMABLE).count())
    limits.register_counter("running_jobs", lambda user: Job.objects.filter(owner=user, state__in=HELD).count())
    for name in limits.COUNTED:
        if name not in _BY_NUMBER:
            limits.register_counter(name, partial(_used, limit=name))


def _used(user: User, limit: str) -> int:
    """Return what active jobs reserve, or for a limit in minutes what jobs have used today (UTC) and are to use."""
    active = Job.objects.filter(owner=user, state__in=ACTIVE).only("kind", "state", "reserved", "claimed_at")
    metered = kinds_metered_by(limit)
    if not metered:
        return sum(job.reserved.get(limit, 0) for job in active)
    now = timezone.now()
    seconds = float(meters.used(user.pk, limit, f"{now:%Y-%m-%d}"))
    for job in active:
        expected = 60.0 * job.reserved.get(limit, 0)
        so_far = (now - job.claimed_at).total_seconds() if job.kind in metered and job.claimed_at else 0.0
        seconds += max(expected, so_far) if job.state in HELD else expected
    return math.ceil(seconds / 60)
