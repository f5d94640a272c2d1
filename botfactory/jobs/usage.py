"""What jobs count against the limits of their owners."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from botfactory.accounts import limits, meters
from botfactory.jobs.kinds import kind_of, kinds_metered_by
from botfactory.jobs.models import Job
from botfactory.jobs.states import ACTIVE, CLAIMABLE, HELD, State

#: Counted by their number; jobs can reserve amounts of every other limit (JobKind.needs), or use up minutes (`meter`).
_BY_NUMBER: Final[Mapping[str, Collection[State]]] = {"queued_jobs": CLAIMABLE, "running_jobs": HELD}


def require_room(job: Job) -> None:
    """Note in the job what it needs; LimitReached if its owner may not have one more.

    Call it inside the transaction that queues the job, like `limits.require_room`.
    """
    kind = kind_of(job.kind)
    job.reserved = dict(kind.needs(job)) if kind.needs is not None else {}
    limits.require_room(job.owner, {"queued_jobs": int(kind.counts), **job.reserved})


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
    limits.register_counter(limits.COUNTED, _counted)


def _counted(count: limits.Counting) -> dict[str, int]:
    rows = Job.objects.filter(owner=count.user, state__in=ACTIVE)
    active = list(rows.only("kind", "state", "reserved", "claimed_at"))
    return {limit: _used(limit, active, count.meters) for limit in count.limits}


def _used(limit: str, active: Collection[Job], readings: meters.Readings) -> int:
    """Return what active jobs reserve, or for a limit in minutes what jobs have used today (UTC) and are to use."""
    if limit in _BY_NUMBER:
        return sum(job.state in _BY_NUMBER[limit] and kind_of(job.kind).counts for job in active)
    metered = kinds_metered_by(limit)
    if not metered:
        return sum(job.reserved.get(limit, 0) for job in active)
    now = timezone.now()
    seconds = float(readings.used(limit, f"{now:%Y-%m-%d}"))
    for job in active:
        expected = 60.0 * job.reserved.get(limit, 0)
        so_far = (now - job.claimed_at).total_seconds() if job.kind in metered and job.claimed_at else 0.0
        seconds += max(expected, so_far) if job.state in HELD else expected
    return math.ceil(seconds / 60)
