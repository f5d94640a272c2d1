"""What jobs count against the limits of their owners."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from functools import partial

from django.utils import timezone

from botfactory.accounts import limits, meters
from botfactory.accounts.models import User
from botfactory.jobs.kinds import kind_of
from botfactory.jobs.models import Job
from botfactory.jobs.states import ACTIVE, CLAIMABLE, HELD

#: Limits of which jobs may reserve something by what their kind says they need.
RESERVED = ("training_minutes_a_day", "models", "stored_mb")


def require_room(job: Job) -> None:
    """Returns with what the job needs noted in it, while its owner may have one more of it waiting; LimitReached.

    Inside the transaction that queues it, as `limits.require_room` is.
    """
    needs = kind_of(job.kind).needs
    job.reserved = dict(needs(job)) if needs is not None else {}
    limits.require_room(job.owner, {"queued_jobs": 1, **job.reserved})


def charge(job: Job, until: datetime) -> None:
    """The time from the claim of a job until then is used up by its owner, if its kind is metered."""
    meter = kind_of(job.kind).meter
    start = job.claimed_at
    while meter and start is not None and start < until:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        end = min(until, midnight)
        meters.add(job.owner_id, meter, f"{start:%Y-%m-%d}", round((end - start).total_seconds()))
        start = end


def register() -> None:
    """What jobs count is registered with the limits."""
    limits.register_counter("queued_jobs", lambda user: Job.objects.filter(owner=user, state__in=CLAIMABLE).count())
    limits.register_counter("running_jobs", lambda user: Job.objects.filter(owner=user, state__in=HELD).count())
    limits.register_counter("training_minutes_a_day", _training_minutes)
    for name in RESERVED[1:]:
        limits.register_counter(name, partial(_reserved, limit=name))


def _reserved(user: User, limit: str) -> int:
    active = Job.objects.filter(owner=user, state__in=ACTIVE).values_list("reserved", flat=True)
    return sum(reserved.get(limit, 0) for reserved in active)


def _training_minutes(user: User) -> int:
    """What was trained today (UTC), with what waiting and running trainings are estimated to take."""
    name, now = RESERVED[0], timezone.now()
    seconds = float(meters.used(user.pk, name, f"{now:%Y-%m-%d}"))
    for job in Job.objects.filter(owner=user, state__in=ACTIVE).only("kind", "state", "reserved", "claimed_at"):
        expected = 60.0 * job.reserved.get(name, 0)
        so_far = job.state in HELD and kind_of(job.kind).meter == name and job.claimed_at
        seconds += max(expected, (now - job.claimed_at).total_seconds()) if so_far and job.claimed_at else expected
    return math.ceil(seconds / 60)
