"""The figures of jobs, from their rows.

Times are those of the last hour: rows are deleted with their owners, and a sum that falls is taken for a restart.
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
#: The newest so many are looked at: enough for a share, and no scrape grows without end.
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
    jobs = GaugeMetricFamily("botfactory_jobs", "Jobs that there are.", labels=["kind", "state"])
    for kind, each in sorted({(kind, state) for kind, _ in states for state in State}):
        jobs.add_metric([kind, each], states[kind, each])
    failed = GaugeMetricFamily("botfactory_failed_jobs", "Failed jobs that there are.", labels=["kind", "code"])
    for (kind, code), count in sorted(errors.items()):
        failed.add_metric([kind, code], count)
    yield from (jobs, failed)


def _oldest_waiting() -> Metric:
    now = timezone.now()
    family = GaugeMetricFamily(
        "botfactory_queue_oldest_seconds", "How long the job that waits longest could have run.", labels=["queue"]
    )
    due = Job.objects.filter(state__in=CLAIMABLE, available_at__lte=now)
    for queue, since in due.order_by().values_list("queue").annotate(since=Min("available_at")):
        family.add_metric([queue], (now - since).total_seconds())
    return family


def _waits_and_durations() -> Iterator[Metric]:
    since = timezone.now() - RECENT
    waits: dict[str, list[float]] = defaultdict(list)
    durations: dict[str, list[float]] = defaultdict(list)
    # Those of commands never waited.
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
        "botfactory_job_wait_seconds", "Time that jobs waited which a worker took in the last hour.", "kind", waits
    )
    yield _family(
        "botfactory_job_seconds",
        "Time that the last attempt at jobs took which ended in the last hour.",
        "kind",
        durations,
    )


def _epochs() -> Metric:
    since = timezone.now() - RECENT
    # By their jobs, which are few: events have no index of their times.
    recent = JobEvent.objects.filter(job__heartbeat_at__gte=since, kind="epoch", created_at__gte=since)
    seconds = recent.order_by("-created_at").values_list("job__kind", "payload__seconds")[:MAX_ROWS]
    taken: dict[str, list[float]] = defaultdict(list)
    for kind, value in seconds:
        if isinstance(value, int | float):
            taken[kind].append(float(value))
    return _family("botfactory_epoch_seconds", "Time that each epoch of the last hour took.", "kind", taken)


def _family(name: str, about: str, label: str, values: dict[str, list[float]]) -> Metric:
    family = GaugeHistogramMetricFamily(name, about, labels=[label])
    for each, seconds in sorted(values.items()):
        buckets, total = histogram(seconds, BOUNDS)
        family.add_metric([each], buckets=buckets, gsum_value=total)
    return family
