"""The doctor on services: database, broker, channel layer, workers and the jobs that they hold."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from botfactory.jobs.models import Job
from botfactory.jobs.reaper import is_abandoned
from botfactory.jobs.states import HELD
from botfactory.ops import components, house, workers
from botfactory.ops.checks import Report, first_line

#: A job that could run is begun sooner than this where a worker has nothing to do.
PATIENCE = timedelta(minutes=2)


def database(report: Report) -> None:
    try:
        components.database()
    except Exception as error:
        report.problem(
            f"the database does not answer: {first_line(error)}",
            "check DATABASE_URL and that the database server runs"
            if settings.DATABASE_URL
            else f"check that {settings.DATABASES['default']['NAME']} can be read and written",
        )
        return
    report.ok(f"{connection.display_name} answers")
    executor = MigrationExecutor(connection)
    behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if behind:
        names = ", ".join(f"{migration.app_label} {migration.name}" for migration, _ in behind[:3])
        report.problem(
            f"{len(behind)} of the migrations are not applied: {names}{' ...' if len(behind) > 3 else ''}",
            "run `manage.py migrate`, after a backup",
        )
    else:
        report.ok("all migrations are applied")
    if connection.vendor == "sqlite":
        _sqlite(report)


def _sqlite(report: Report) -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        mode = cursor.fetchone()[0]
        cursor.execute("PRAGMA quick_check(1)")
        sound = cursor.fetchone()[0]
    if mode == "wal":
        report.ok("SQLite writes ahead (WAL)")
    else:
        report.warning(
            f"SQLite's journal mode is {mode}, not wal: readers and writers wait for each other",
            "keep BOTFACTORY_HOME on a local disk, which WAL needs, or use Postgres (DATABASE_URL)",
        )
    if sound == "ok":
        report.ok("SQLite's file is sound (quick_check)")
    else:
        report.problem(f"SQLite's file is damaged: {sound}", "stop the product and restore the database from a backup")


def broker(report: Report) -> None:
    try:
        components.broker()
    except Exception as error:
        report.problem(f"the broker does not answer: {first_line(error)}", _start_broker())
    else:
        report.ok("the broker answers")


def _start_broker() -> str:
    if settings.REDIS_IS_OURS:
        return f"start the product (`make run`), which brings it along; its log is {settings.LOGS_DIR / 'valkey.log'}"
    return "check REDIS_URL and that the server runs"


def channel_layer(report: Report) -> None:
    try:
        components.channel_layer()
    except Exception as error:
        report.problem(f"no message comes back through the channel layer: {first_line(error)}", _start_broker())
    else:
        report.ok("a message came back through the channel layer")


def jobs_and_workers(report: Report) -> None:
    try:
        components.broker()
    except Exception:
        report.problem("workers cannot be asked without the broker", "mend the broker first (see above)")
        return
    alive = workers.alive()
    for worker in alive:
        runs = ", ".join(f"{job.title} ({job.pk})" for job in worker.jobs) or "nothing"
        report.ok(f"{worker.name} is alive, listens to {', '.join(worker.queues)} and runs {runs}")
    for queue in workers.unheard(alive):
        report.problem(
            f"no worker listens to the queue {queue}",
            f"start the product (`make run`), or `celery -A botfactory worker -Q {queue}`; "
            f"a worker that ends at once says why in its log ({Path(settings.LOGS_DIR)})",
        )
    abandoned = [job for job in Job.objects.filter(state__in=HELD) if is_abandoned(job)]
    for job in abandoned:
        report.warning(
            f"nobody works on {job.title} ({job.pk}) any more, its worker {job.worker} is gone",
            "it goes on by itself within a minute where one worker, and only one, runs with -B",
        )
    _waiting(report, alive)


def _waiting(report: Report, alive: list[workers.Worker]) -> None:
    """Jobs that wait although somebody has nothing to do."""
    idle = {name for worker in alive if len(worker.jobs) < worker.slots for name in worker.queues}
    for queue in house.queues():
        if queue.name in idle and queue.since is not None and queue.since < timezone.now() - PATIENCE:
            report.warning(
                f"jobs wait in {queue.name} since {queue.since:%Y-%m-%d %H:%M} UTC although a worker has nothing to do",
                "their owner may have reached the limit of running jobs; else restart the workers",
            )
