"""Lost workers and unanswered doorbells."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import processes, reaper, worker, write_lock
from botfactory.jobs.errors import JobCancelled, JobFailed, LostClaim
from botfactory.jobs.handle import JobHandle, work_dir
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from botfactory.scheduler import Scheduler
from tests.jobs.kinds import count_to_three, kind
from tests.jobs.test_services import submit
from tests.ops.conftest import new_scheduler as new_scheduler
from tests.ops.helpers import failing
from tests.outages import database_gone

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def test_old_work_is_cleared_away_and_needed_work_is_not(alice: User) -> None:
    def run(handle: JobHandle) -> dict[str, Any]:
        (handle.work_dir / "kept").write_text("half", encoding="utf-8")
        raise JobFailed("broken", "It broke.")

    old, recent, running = submit(alice, run), submit(alice, run), submit(alice, run)
    for job in (old, recent):
        worker.run(job.pk)
    Job.objects.filter(pk=old.pk).update(finished_at=timezone.now() - timedelta(days=2))
    assert worker.claim(running.pk) is not None
    # As a worker leaves it that was killed between the end of its job and the cleanup.
    succeeded = submit(alice)
    worker.run(succeeded.pk)
    for job in (running, succeeded):
        work_dir(job).mkdir(parents=True)
    reaper.reap()
    assert [work_dir(job).exists() for job in (old, recent, running, succeeded)] == [False, True, True, False]


def lose(job: Job) -> Job:
    """Make the job's worker disappear: its heartbeat is a day old."""
    worker.claim(job.pk)
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(days=1))
    return Job.objects.get(pk=job.pk)


def test_a_lost_job_is_interrupted_and_runs_again(alice: User) -> None:
    job = lose(submit(alice))
    reaper.reap()
    job.refresh_from_db()
    assert (job.state, job.interruptions) == (State.INTERRUPTED, 1)
    worker.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempt) == (State.SUCCEEDED, 2)


def test_a_job_whose_process_is_gone_is_found_before_its_heartbeat_is_old(alice: User) -> None:
    job = submit(alice)
    worker.claim(job.pk)
    host = processes.here()
    # Above the highest process number of Linux.
    Job.objects.filter(pk=job.pk).update(worker=f"{host}:{2**22 + 1}")
    reaper.reap()
    job.refresh_from_db()
    assert job.state == State.INTERRUPTED


def test_workers_that_could_write_no_heartbeat_are_not_taken_for_dead(
    alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.JOB_STALE_SECONDS = 0.5
    silent, killed = submit(alice), submit(alice)
    for job in (silent, killed):
        assert worker.claim(job.pk) is not None
    states: list[list[str]] = []

    def sleep_for_an_hour() -> None:
        woken = timezone.now() + timedelta(hours=1)
        monkeypatch.setattr(timezone, "now", lambda: woken)
        Job.objects.filter(pk=killed.pk).update(worker=f"{processes.here()}:{2**22 + 1}")

    def look() -> None:
        states.append([Job.objects.get(pk=job.pk).state for job in (silent, killed)])
        # The reaper calls idle workers, which don't judge by a heartbeat either.
        assert worker.claim(silent.pk) is None

    silent.refresh_from_db()
    watch = reaper.Watch()
    watch.look()
    sleep_for_an_hour()
    watch.look()
    look()
    time.sleep(0.6)
    watch.look()
    assert states == [[State.RUNNING, State.INTERRUPTED]]
    assert "nobody has looked after jobs" in caplog.text
    silent.refresh_from_db()
    assert silent.state == State.INTERRUPTED, "it wasn't heard again"


def test_workers_have_time_to_be_heard_after_the_database_was_away(
    alice: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(write_lock, "PATIENCE_SECONDS", 0.05)
    settings.JOB_STALE_SECONDS = 2
    # Here, the process that keeps the others from writing is the worker and the test.
    monkeypatch.setattr(os, "kill", lambda pid, signal: None)
    job = submit(alice)
    watch = reaper.Watch()
    watch.look()
    lose(job)
    connection.close()
    with database_gone(), suppress(OperationalError, InterfaceError):
        watch.look()
    connection.close()
    watch.look()
    job.refresh_from_db()
    assert job.state == State.RUNNING


def test_a_living_job_is_not_reaped(alice: User) -> None:
    job = submit(alice)
    worker.claim(job.pk)
    reaper.reap()
    job.refresh_from_db()
    assert job.state == State.RUNNING


@pytest.mark.parametrize(("advice", "kept"), [("Bring less.", "All of it is kept."), ("", "")])
def test_a_job_lost_three_times_fails_with_the_sentences_of_its_kind(alice: User, advice: str, kept: str) -> None:
    job = submit(alice)
    kind(job.kind, count_to_three, to_take_less=advice, kept=kept)
    for _ in range(3):
        lose(job)
        reaper.reap()
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.FAILED, "worker_lost")
    assert "memory" in job.error_message and "  " not in job.error_message
    assert advice in job.error_message and job.error_message.endswith(kept or "logs.")


def _lost_in_the_middle(job: Job, act: Callable[[JobHandle], object]) -> None:
    """Claim the job, do something of its work, and lose its worker."""
    claimed = worker.claim(job.pk)
    assert claimed is not None
    act(JobHandle(claimed))
    Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(days=1))
    reaper.reap()


@pytest.mark.parametrize("get_on", [lambda handle: handle.record("page", {"new": 5}), JobHandle.saved])
def test_losses_with_progress_in_between_never_fail_a_job(alice: User, get_on: Callable[[JobHandle], object]) -> None:
    job = submit(alice)
    for _ in range(3):
        _lost_in_the_middle(job, lambda handle: None)
        _lost_in_the_middle(job, get_on)
    job.refresh_from_db()
    assert (job.state, job.interruptions) == (State.INTERRUPTED, 1)
    for _ in range(2):
        _lost_in_the_middle(job, lambda handle: None)
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.FAILED, "worker_lost")


def test_what_a_job_records_each_time_that_it_begins_is_no_progress(alice: User) -> None:
    job = submit(alice)
    for what in ("openings", "before", "resumed"):
        _lost_in_the_middle(job, lambda handle, what=what: handle.record(what, {}))  # type: ignore[misc]
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.FAILED, "worker_lost")


def test_workers_stopped_on_purpose_do_not_count_as_lost(alice: User) -> None:
    job = submit(alice)
    for _ in range(5):
        lose(job)
        reaper.hand_back()
    job.refresh_from_db()
    assert (job.state, job.interruptions) == (State.INTERRUPTED, 0)


def test_a_folder_whose_job_was_never_submitted_is_deleted_after_a_day(settings: Any, tmp_path: Path) -> None:
    settings.JOBS_DIR = tmp_path
    old, new = tmp_path / ".account-old", tmp_path / ".account-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "account.zip").write_bytes(b"PK")
    long_ago = time.time() - 25 * 3600
    os.utime(old, (long_ago, long_ago))
    reaper.reap()
    assert list(tmp_path.iterdir()) == [new]


def test_an_upload_that_is_being_handed_to_its_job_stays(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.JOBS_DIR = tmp_path
    uploaded = tmp_path / ".account-mine"
    uploaded.mkdir()
    long_ago = time.time() - 25 * 3600
    os.utime(uploaded, (long_ago, long_ago))
    # Until the commit, the reaper doesn't know the job.
    unknown = work_dir(Job(pk=uuid.uuid4()))
    shutil.move(uploaded, unknown)
    reaper.reap()
    assert unknown.exists()
    monkeypatch.setattr(reaper, "HANDED_OVER_WITHIN", timedelta())
    reaper.reap()
    assert not unknown.exists()


def test_a_lost_job_that_was_being_cancelled_is_cancelled(alice: User) -> None:
    job = lose(submit(alice))
    Job.objects.filter(pk=job.pk).update(state=State.CANCELLING)
    reaper.reap()
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_a_worker_that_was_overtaken_writes_nothing_more(alice: User) -> None:
    def run(handle: JobHandle) -> dict[str, Any]:
        Job.objects.filter(pk=handle.job.pk).update(heartbeat_at=timezone.now() - timedelta(days=1))
        reaper.reap()
        assert worker.claim(handle.job.pk) is not None
        with pytest.raises(LostClaim):
            handle.progress({"fraction": 0.5})
        with pytest.raises(LostClaim):
            handle.record("count", {"number": 1})
        raise JobCancelled("whatever it thinks")

    job = submit(alice, run)
    worker.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempt, job.progress) == (State.RUNNING, 2, {})
    assert not job.events.filter(kind="count").exists()


def test_jobs_are_recovered_though_no_worker_is_free_and_a_round_went_wrong(
    alice: User, new_scheduler: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = Scheduler()
    with monkeypatch.context() as broken:
        broken.setattr(reaper, "_clear_old_work", failing(OSError("the folder is not there yet")))
        rounds.do_round()
    # Nobody listens to any queue here.
    job = lose(submit(alice))
    rounds.do_round()
    job.refresh_from_db()
    assert (job.state, job.rung_at is not None) == (State.INTERRUPTED, True)


def test_only_the_head_of_a_queue_is_called_again(alice: User) -> None:
    jobs = [submit(alice) for _ in range(3)]
    Job.objects.update(rung_at=timezone.now() - timedelta(hours=1))
    assert reaper.reap() == 1
    assert reaper.reap() == 0
    jobs[0].refresh_from_db()
    assert jobs[0].rung_at is not None and jobs[0].rung_at > timezone.now() - timedelta(minutes=1)


def test_a_job_is_not_lost_when_the_broker_cannot_be_reached(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    from botfactory.celery import app

    monkeypatch.setattr(app.conf, "broker_write_url", "redis://127.0.0.1:1/0")
    job = submit(alice)
    assert (job.state, job.rung_at) == (State.QUEUED, None)


def test_a_job_of_a_kind_that_is_gone_fails_and_does_not_keep_others_waiting(alice: User) -> None:
    lost = lose(submit(alice))
    strange = lose(submit(alice))
    Job.objects.filter(pk=strange.pk).update(kind="of_a_removed_app")
    reaper.reap()
    states = Job.objects.filter(pk__in=[lost.pk, strange.pk]).values_list("state", flat=True)
    assert set(states) == {State.INTERRUPTED}
    Job.objects.filter(pk=lost.pk).delete()
    worker.run(strange.pk)
    strange.refresh_from_db()
    assert (strange.state, strange.error_code) == (State.FAILED, "unknown_kind")
