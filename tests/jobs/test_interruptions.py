"""A full disk or a missing database or broker delays jobs but fails none."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone
from redis.backoff import NoBackoff
from redis.retry import Retry

from botfactory.accounts.models import User
from botfactory.jobs import interruptions, reaper, worker
from botfactory.jobs.errors import JobFailed
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.outages.errors import Cause, classify
from tests.jobs.kinds import count_to_three
from tests.jobs.test_services import submit
from tests.outages import database_gone

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def fill_the_disk(*args: Any) -> dict[str, Any]:
    Path("/dev/full").write_bytes(b"a page of weights")
    return {}


def lose_the_broker(*args: Any) -> dict[str, Any]:
    redis.Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0)).ping()
    return {}


def run_now(job: Job) -> Job:
    """Run the next attempt without waiting for its time."""
    Job.objects.filter(pk=job.pk).update(available_at=timezone.now())
    worker.run(job.pk)
    job.refresh_from_db()
    return job


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make SQLite give up soon when locked, and try again soon."""
    connection.ensure_connection()
    monkeypatch.setattr(worker, "FIRST_TRY_AGAIN_SECONDS", 0.05)
    if connection.vendor == "sqlite":
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.05)
        connection.close()


class Outage:
    """A database that goes away while the runner runs, and returns after `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._begun, self._seconds = threading.Event(), seconds
        self._over = threading.Event()
        self.thread = threading.Thread(target=self._be_gone)

    def _be_gone(self) -> None:
        with database_gone():
            self._begun.set()
            self._over.wait(self._seconds)

    def begin(self) -> None:
        self.thread.start()
        self._begun.wait()

    def end(self) -> None:
        self._over.set()
        self.thread.join()


def full_sqlite() -> None:
    with sqlite3.connect(":memory:") as database:
        database.execute("PRAGMA max_page_count = 1")
        database.execute("CREATE TABLE posts (text)")


def locked_sqlite(folder: Path) -> None:
    holder, other = (sqlite3.connect(folder / "db", timeout=0) for _ in range(2))
    holder.execute("BEGIN EXCLUSIVE")
    try:
        other.execute("BEGIN IMMEDIATE")
    finally:
        holder.close()
        other.close()


def raised(act: Callable[[], Any]) -> BaseException:
    with pytest.raises(BaseException) as caught:
        act()
    return caught.value


def because(error: BaseException, of: BaseException, *, hidden: bool = False) -> BaseException:
    """Return `error`, raised while `of` was handled."""

    def act() -> None:
        try:
            raise of
        except BaseException:
            if hidden:
                raise error from None
            raise error  # noqa: B904

    return raised(act)


@pytest.mark.parametrize(("number", "cause"), [(errno.ENOSPC, Cause.DISK), (errno.ESTALE, Cause.FILES)])
def test_a_failure_that_the_machine_brought_about_delays_the_job(alice: User, number: int, cause: Cause) -> None:
    def run(handle: JobHandle) -> dict[str, Any]:
        try:
            raise OSError(number, os.strerror(number))
        except OSError as error:
            raise JobFailed("checkpoint_damaged", "The model can’t be read.") from error

    job = submit(alice, run)
    worker.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.progress["cause"]) == (State.QUEUED, cause)


@pytest.mark.parametrize("reason", [MemoryError(), FileNotFoundError(errno.ENOENT, "No such file"), ValueError("torn")])
def test_a_failure_with_another_reason_ends_the_job_as_its_kind_says(alice: User, reason: Exception) -> None:
    def run(handle: JobHandle) -> dict[str, Any]:
        raise JobFailed("checkpoint_damaged", "The model can’t be read.") from reason

    job = submit(alice, run)
    worker.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.FAILED, "checkpoint_damaged")


def test_what_passes_is_told_from_what_is_a_mistake(tmp_path: Path) -> None:
    full = raised(fill_the_disk)
    assert classify(full) == Cause.DISK
    assert classify(raised(full_sqlite)) == Cause.DISK
    assert classify(raised(lambda: locked_sqlite(tmp_path))) == Cause.DATABASE
    assert classify(raised(lambda: sqlite3.connect(tmp_path / "no" / "folder"))) == Cause.DATABASE
    assert classify(raised(lambda: psycopg.connect("host=127.0.0.1 port=1"))) is None, "only as Django raises it"
    assert classify(because(OperationalError("gone"), psycopg.OperationalError("gone"))) == Cause.DATABASE
    assert classify(raised(lose_the_broker)) == Cause.BROKER
    assert classify(OSError(errno.EDQUOT, "quota")) == Cause.DISK
    assert classify(OSError(errno.EIO, "worn out")) == Cause.FILES
    assert classify(MemoryError()) == Cause.MEMORY
    for mistake in (
        ValueError("no"),
        OSError("2048 requested and 0 written"),
        FileNotFoundError(errno.ENOENT, "no such file"),
        raised(lambda: sqlite3.connect(":memory:").execute("SELECT * FROM nothing")),
    ):
        assert classify(mistake) is None, mistake
    # The causes of an error count, unless they are hidden. A full disk has priority.
    assert classify(because(ValueError("half a file"), full)) == Cause.DISK
    assert classify(because(OperationalError("gone"), full)) == Cause.DISK
    assert classify(because(ValueError("half a file"), full, hidden=True)) is None


def test_pauses_grow_up_to_some_minutes() -> None:
    pauses = [interruptions.pause(Cause.DATABASE, number).total_seconds() for number in range(1, 11)]
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300, 300]
    assert interruptions.pause(Cause.DISK, 5_000) == timedelta(minutes=1)


def test_a_full_disk_is_waited_for_however_long_and_the_job_goes_on_by_itself(alice: User) -> None:
    job = submit(alice, fill_the_disk)
    for _ in range(12):
        run_now(job)
        assert job.state == State.QUEUED
    assert job.progress["message"] == "The disk is full. Free some space. This job then continues by itself."
    assert (job.progress["phase"], job.progress["cause"]) == ("waiting", "disk")
    assert timedelta(0) < job.available_at - timezone.now() <= timedelta(minutes=1)
    assert job.events.filter(kind="waiting").last().payload["cause"] == "disk"  # type: ignore[union-attr]
    submit(alice, count_to_three)  # There is space now, so the job does its work.
    run_now(job)
    assert (job.state, job.attempt, "cause" in job.progress) == (State.SUCCEEDED, 13, False)


def test_while_the_disk_is_still_full_no_work_is_done_in_vain(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def run(handle: JobHandle) -> dict[str, Any]:
        begun.append(handle.attempt)
        return fill_the_disk() if len(begun) == 1 else {}

    def no_room(*args: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    job = run_now(submit(alice, run))
    with monkeypatch.context() as full:
        full.setattr(os, "posix_fallocate", no_room)
        run_now(job)
    assert (job.state, job.progress["cause"], begun) == (State.QUEUED, "disk", [1])
    run_now(job)
    assert (job.state, begun) == (State.SUCCEEDED, [1, 3])
    assert not list(Path(settings.JOBS_DIR).glob("tmp*"))


def test_a_database_that_is_cut_off_in_mid_job_only_holds_it_up(alice: User, impatient: None) -> None:
    outage = Outage(60)

    def run(handle: JobHandle) -> dict[str, Any]:
        if handle.attempt == 1:
            outage.begin()
            # Meanwhile nothing can be written, neither by the runner nor to requeue the job.
            threading.Timer(0.5, outage.end).start()
            handle.record("count", {"number": 1})
        return {"counted": 1}

    job = submit(alice, run)
    worker.run(job.pk)
    outage.end()
    job.refresh_from_db()
    assert (job.state, job.attempt, job.interruptions, job.error_code) == (State.QUEUED, 1, 0, "")
    assert job.progress["message"] == "The database was unavailable for a moment."
    assert (run_now(job).state, job.result) == (State.SUCCEEDED, {"counted": 1})


def test_what_a_job_brought_is_kept_where_the_database_is_gone_at_its_end(alice: User, impatient: None) -> None:
    outage = Outage(0.5)

    def run(handle: JobHandle) -> dict[str, Any]:
        outage.begin()
        return {"counted": 1}

    job = submit(alice, run)
    worker.run(job.pk)
    outage.end()
    job.refresh_from_db()
    assert (job.state, job.attempt, job.result) == (State.SUCCEEDED, 1, {"counted": 1})


def test_a_database_that_stays_away_is_left_to_the_reaper(
    alice: User, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage = Outage(60)

    def run(handle: JobHandle) -> dict[str, Any]:
        outage.begin()
        handle.record("count", {"number": 1})
        return {}

    monkeypatch.setattr(worker, "PATIENCE_SECONDS", 0.2)
    job = submit(alice, run)
    try:
        with pytest.raises(OperationalError):
            worker.run(job.pk)
    finally:
        outage.end()
        connection.close()
    job.refresh_from_db()
    assert job.state == State.RUNNING
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))
    reaper.reap()
    job.refresh_from_db()
    assert job.state == State.INTERRUPTED


def test_too_many_interruptions_in_a_row_end_a_job_with_a_sentence(alice: User) -> None:
    job = submit(alice, lose_the_broker)
    for _ in range(9):
        assert run_now(job).state == State.QUEUED
    assert (run_now(job).state, job.error_code) == (State.FAILED, "broker_lost")
    assert "was unavailable 10 times in a row" in job.error_message and "try again" in job.error_message


def test_a_job_that_gets_on_in_between_is_interrupted_as_often_as_it_likes(alice: User) -> None:
    def run(handle: JobHandle) -> dict[str, Any]:
        if handle.attempt % 6 == 0:
            handle.record("count", {"number": handle.attempt})
        return lose_the_broker()

    job = submit(alice, run)
    for _ in range(13):
        assert run_now(job).state == State.QUEUED


def test_pauses_for_other_causes_neither_count_nor_end_the_row() -> None:
    waiting = [("waiting", {"cause": cause}) for cause in ("broker", "disk", "broker", None)]
    running = ("state", {"state": "running"})
    newest_first = [event for pause in waiting for event in (pause, running)]
    assert interruptions.in_a_row(newest_first, Cause.BROKER) == 2
    assert interruptions.in_a_row([*newest_first[:3], ("page", {}), *newest_first[3:]], Cause.BROKER) == 1
    assert interruptions.in_a_row([("state", {"state": "queued"}), *newest_first], Cause.BROKER) == 0
