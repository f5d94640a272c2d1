"""Checks of services for `doctor`: database, broker, channel layer, scheduler, workers and their jobs."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from botfactory import scheduler
from botfactory.accounts.models import User
from botfactory.jobs import write_lock
from botfactory.jobs.models import Job, JobEvent
from botfactory.jobs.reaper import is_abandoned
from botfactory.jobs.states import HELD
from botfactory.ops import components, house, workers
from botfactory.ops.checks import Report, first_line
from botfactory.ops.schema import newer_migrations, some_of
from botfactory.sqlite_file.log import ForeignLog, log_of

#: An idle worker starts a ready job sooner than this.
PATIENCE = timedelta(minutes=2)
#: Writers use BLMOVE, and LPOP of several elements.
MIN_REDIS_VERSION = (6, 2)


def database(report: Report) -> None:
    try:
        components.database()
    except ForeignLog as error:
        report.problem(error.what, error.advice)
        return
    except Exception as error:
        report.problem(
            f"the database doesn't answer: {first_line(error)}",
            components.database_advice(),
        )
        return
    report.ok(f"{connection.display_name} answers")
    executor = MigrationExecutor(connection)
    behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if newer := newer_migrations(executor.loader):
        report.problem(
            f"the database is from a newer version of Bot Factory ({some_of(newer)})",
            "update the code, or restore a backup of this version",
        )
    elif behind:
        names = some_of([f"{migration.app_label} {migration.name}" for migration, _ in behind])
        report.problem(
            f"migrations to apply: {len(behind)} ({names})",
            "make a backup, then run `manage.py migrate`",
        )
    else:
        report.ok("all migrations are applied")
        _newest(report)
    if connection.vendor == "sqlite":
        _sqlite(report)


def _sqlite(report: Report) -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        mode = cursor.fetchone()[0]
        cursor.execute("PRAGMA quick_check(1)")
        sound = cursor.fetchone()[0]
    if mode == "wal":
        report.ok("SQLite uses write-ahead logging (WAL)")
    else:
        report.warning(
            f"SQLite's journal mode is {mode} instead of wal, so readers and writers wait for each other",
            "keep BOTFACTORY_HOME on a local disk, which wal needs, or use Postgres (DATABASE_URL)",
        )
    if not write_lock.is_free() and (holder := write_lock.holder_now()) is not None:
        report.warning(
            f"process {holder.pid} keeps all others from writing to the SQLite file",
            f"if it hangs, end it; the product itself ends only workers, after {settings.JOB_STALE_SECONDS} s",
        )
    if sound == "ok":
        report.ok(f"the SQLite file is intact (quick_check){_with_log()}")
    else:
        report.problem(
            f"the SQLite file is damaged: {sound}", "stop the product and restore the database from a backup"
        )


def _with_log() -> str:
    """Return what is in the log beside the file, for those who copy it; "" if nothing is."""
    log = log_of(Path(connection.settings_dict["NAME"]))
    size = log.stat().st_size if log.exists() else 0
    return f", with the newest {filesizeformat(size)} in {log.name}, which a copy needs, too" if size else ""


def _newest(report: Report) -> None:
    """Report how old the data is: a copy without its log is intact, but lacks the newest rows."""
    events = JobEvent.objects.order_by("-pk").values_list("created_at", flat=True)
    sign_ins = User.objects.exclude(last_login=None).order_by("-last_login").values_list("last_login", flat=True)
    if found := [at for at in (events.first(), sign_ins.first()) if at]:
        report.ok(f"the newest sign-in or event of a job is from {max(found):%Y-%m-%d %H:%M} UTC")


def broker(report: Report) -> None:
    try:
        components.broker()
    except Exception as error:
        report.problem(f"the broker doesn't answer: {first_line(error)}", _start_broker())
        return
    report.ok("the broker answers")
    version = components.broker_version()
    if version and version < MIN_REDIS_VERSION:
        names = [".".join(str(part) for part in each) for each in (version, MIN_REDIS_VERSION)]
        report.problem(
            f"the broker is Redis {names[0]}, so bots can't write",
            f"use Redis {names[1]} or later, or Valkey, for REDIS_URL",
        )


def _start_broker() -> str:
    if settings.REDIS_IS_OURS:
        return f"start the product (`make run`), which starts the broker; its log is {settings.LOGS_DIR / 'valkey.log'}"
    return "check REDIS_URL, and that the server is running"


def channel_layer(report: Report) -> None:
    try:
        components.channel_layer()
    except Exception as error:
        report.problem(f"the channel layer delivers no messages: {first_line(error)}", _start_broker())
    else:
        report.ok("the channel layer delivers messages")


def rounds(report: Report) -> None:
    """Report whether the scheduler does its rounds."""
    try:
        last = scheduler.last_round()
    except redis.RedisError:
        report.problem("the scheduler can't be checked without the broker", "first fix the broker (see above)")
        return
    if last is not None:
        ago = max(0.0, time.time() - last.at)
        report.ok(f"the scheduler {last.host}:{last.pid} has done its last round {ago:.0f} s ago")
        return
    report.problem(
        f"the scheduler has done no round in {scheduler.patience():g} s, so jobs whose worker died, webhooks and mails "
        "may wait, and so may jobs whose message was lost",
        f"start the product (`make run`), or `manage.py scheduler`; if it runs, its log says what fails "
        f"({settings.LOGS_DIR / 'scheduler.log'})",
    )


def jobs_and_workers(report: Report) -> None:
    try:
        components.broker()
    except Exception:
        report.problem("workers can't be checked without the broker", "first fix the broker (see above)")
        return
    alive = workers.alive()
    for worker in alive:
        runs = ", ".join(f"{job.title} ({job.pk})" for job in worker.jobs)
        doing = f"is running {runs}" if runs else "is idle"
        report.ok(f"{worker.name} listens to {', '.join(worker.queues)} and {doing}")
    for queue in workers.unheard(alive):
        report.problem(
            f"no worker listens to the queue {queue}",
            f"start the product (`make run`), or run `celery -A botfactory worker -Q {queue}`; "
            f"if the worker exits at once, its log says why ({Path(settings.LOGS_DIR)})",
        )
    abandoned = [job for job in Job.objects.filter(state__in=HELD) if is_abandoned(job)]
    for job in abandoned:
        report.warning(
            f"the worker {job.worker} of {job.title} ({job.pk}) is gone",
            "the job continues within a minute if the scheduler does its rounds (see above)",
        )
    _waiting(report, alive)


def _waiting(report: Report, alive: list[workers.Worker]) -> None:
    """Warn of jobs that wait although a worker is idle."""
    idle = {name for worker in alive if len(worker.jobs) < worker.slots for name in worker.queues}
    for queue in house.queues():
        if queue.name in idle and queue.since is not None and queue.since < timezone.now() - PATIENCE:
            report.warning(
                f"jobs have waited in {queue.name} since {queue.since:%Y-%m-%d %H:%M} UTC although a worker is idle",
                "first fix the scheduler (see above)"
                if scheduler.last_round() is None
                else "their owner may have reached the limit of running jobs; otherwise restart the workers",
            )
