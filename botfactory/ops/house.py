"""The state of the installation for the administrator's page: queues, failures and people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import kinds
from botfactory.jobs.models import Job
from botfactory.jobs.states import CLAIMABLE, HELD, State

FAILURES_SHOWN = 20
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Queue:
    name: str
    waiting: int
    running: int
    # The time since which the longest-waiting job could have run.
    since: datetime | None


@dataclass(frozen=True, slots=True)
class People:
    all: int
    administrators: int
    inactive: int
    new_this_week: int
    signed_in_today: int


def queues() -> list[Queue]:
    """Return every queue of jobs, including empty ones."""
    due = Q(state__in=CLAIMABLE, available_at__lte=timezone.now())
    rows = (
        Job.objects.order_by()
        .values_list("queue")
        .annotate(
            waiting=Count("pk", filter=Q(state__in=CLAIMABLE)),
            running=Count("pk", filter=Q(state__in=HELD)),
            since=Min("available_at", filter=due),
        )
        .filter(Q(waiting__gt=0) | Q(running__gt=0))
    )
    busy = {name: Queue(name, waiting, running, since) for name, waiting, running, since in rows}
    return [busy.get(name, Queue(name, 0, 0, None)) for name in sorted({*busy, *kinds.queues()})]


def failures() -> QuerySet[Job]:
    """Return the jobs that failed in the last day, newest first."""
    failed = Job.objects.filter(state=State.FAILED, finished_at__gte=timezone.now() - DAY)
    return failed.select_related("owner").order_by("-finished_at")


def people() -> People:
    now = timezone.now()
    counts = User.objects.aggregate(
        all=Count("pk"),
        administrators=Count("pk", filter=Q(is_staff=True, is_active=True)),
        inactive=Count("pk", filter=Q(is_active=False)),
        new_this_week=Count("pk", filter=Q(date_joined__gte=now - 7 * DAY)),
        signed_in_today=Count("pk", filter=Q(last_login__gte=now - DAY)),
    )
    return People(**counts)
