"""Metrics of jobs, from their rows.

Times cover the last hour only. Rows are deleted with their owners, and Prometheus takes a falling sum for a restart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count, Min, Q
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily

from botfactory.jobs.models import Job, JobEvent
from botfactory.jobs.states import CLAIMABLE, State
from botfactory.ops.metrics import histogram

RECENT = timedelta(hours=1)
#: The most rows per scrape, newest first: enough for a distribution, and no scrape grows without end.
MAX_ROWS = 5_000
BOUNDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400)


def collect() -> Iterator[Metric]:
    yield from _by_state()
    yield _oldest_waiting()
    yield from _waits_and_durations()
    yield _epochs()


def _by_state() -> Iterator[Metric]:
    states: Counter[tuple[str, str]] = Counter()
    errors: Counter[tuple[str, str]] = Counter()
    rows = Job.objects.order_by().values_list("kind", "state", "error_code").annotate(count=Count("pk"))
    for kind, state, code, count in rows:
        states[kind, state] += count
        if state == State.FAILED:
            errors[kind, code] += count
    jobs = GaugeMetricFamily("botfactory_jobs", "Jobs by kind and state.", labels=["kind", "state"])
    for kind, each in sorted({(kind, state) for kind, _ in states for state in State}):
        jobs.add_metric([kind, each], states[kind, each])
    failed = GaugeMetricFamily("botfactory_failed_jobs", "Failed jobs by kind and error code.", labels=["kind", "code"])
    for (kind, code), count in sorted(errors.items()):
        failed.add_metric([kind, code], count)
    yield from (jobs, failed)


def _oldest_waiting() -> Metric:
    now = timezone.now()
    family = GaugeMetricFamily(
        "botfactory_queue_oldest_seconds", "How long the longest-waiting job has been ready to run.", labels=["queue"]
    )
    due = Job.objects.filter(state__in=CLAIMABLE, available_at__lte=now)
    for queue, since in due.order_by().values_list("queue").annotate(since=Min("available_at")):
        family.add_metric([queue], (now - since).total_seconds())
    return family


def _waits_and_durations() -> Iterator[Metric]:
    since = timezone.now() - RECENT
    waits: dict[str, list[float]] = defaultdict(list)
    durations: dict[str, list[float]] = defaultdict(list)
    # Jobs of commands never wait.
    recent = Job.objects.filter(Q(claimed_at__gte=since) | Q(finished_at__gte=since), at_terminal=False)
    rows = recent.order_by("-claimed_at").values_list("kind", "available_at", "claimed_at", "finished_at")
    for kind, available, claimed, finished in rows[:MAX_ROWS]:
        # Cancelled before it began, or put back since.
        if claimed is None:
            continue
        if claimed >= max(since, available):
            waits[kind].append((claimed - available).total_seconds())
        if finished is not None and finished >= max(since, claimed):
            durations[kind].append((finished - claimed).total_seconds())
    yield _family(
        "botfactory_job_wait_seconds", "Waiting time of the jobs that a worker claimed in the last hour.", "kind", waits
    )
    yield _family(
        "botfactory_job_seconds",
        "Duration of the last attempt of the jobs that ended in the last hour.",
        "kind",
        durations,
    )


def _epochs() -> Metric:
    since = timezone.now() - RECENT
    # Filtered by their jobs, which are few, because events have no index on time.
    recent = JobEvent.objects.filter(job__heartbeat_at__gte=since, kind="epoch", created_at__gte=since)
    seconds = recent.order_by("-created_at").values_list("job__kind", "payload__seconds")[:MAX_ROWS]
    taken: dict[str, list[float]] = defaultdict(list)
    for kind, value in seconds:
        if isinstance(value, int | float):
            taken[kind].append(float(value))
    return _family("botfactory_epoch_seconds", "Duration of each epoch in the last hour.", "kind", taken)


def _family(name: str, about: str, label: str, values: dict[str, list[float]]) -> Metric:
    family = GaugeHistogramMetricFamily(name, about, labels=[label])
    for each, seconds in sorted(values.items()):
        buckets, total = histogram(seconds, BOUNDS)
        family.add_metric([each], buckets=buckets, gsum_value=total)
    return family
