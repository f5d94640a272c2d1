"""An attempt can write while it holds its job, and nothing afterwards."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, transaction

from botfactory.accounts.models import User
from botfactory.celery import app
from botfactory.jobs import events, handle, services, worker
from botfactory.jobs.errors import JobFailed, LostClaim
from botfactory.jobs.handle import JobHandle, work_dir
from botfactory.jobs.models import Job, JobEvent
from botfactory.jobs.states import State
from tests.jobs.folders import kept_dir
from tests.jobs.kinds import count_to_three, kind

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def held(owner: User, run: Any = count_to_three, **values: Any) -> JobHandle:
    """A job claimed by this process."""
    name = kind("fenced", run, **values).name
    return JobHandle(services.submit(owner=owner, kind=name, title="Count", arguments={}, run_here=True))


def taken_over(mine: JobHandle) -> JobHandle:
    """Have somebody else claim the next attempt at the same job."""
    Job.objects.filter(pk=mine.job.pk).update(state=State.INTERRUPTED)
    job = worker.claim(mine.job.pk)
    assert job is not None
    return JobHandle(job)


def test_an_attempt_that_was_overtaken_writes_neither_rows_nor_events(alice: User) -> None:
    mine = held(alice)
    with mine.fenced():
        Job.objects.filter(pk=mine.job.pk).update(title="Mine")
    theirs = taken_over(mine)
    recorded = JobEvent.objects.count()
    with pytest.raises(LostClaim), mine.fenced():
        Job.objects.filter(pk=mine.job.pk).update(title="Mine again")
    with pytest.raises(LostClaim):
        mine.record("count", {"number": 1})
    with theirs.fenced():
        pass
    assert (Job.objects.get().title, JobEvent.objects.count()) == ("Mine", recorded)


def test_an_attempt_writes_no_event_after_its_job_has_ended(alice: User) -> None:
    mine = held(alice)
    worker.run_claimed(mine.job)
    recorded = JobEvent.objects.count()
    with pytest.raises(LostClaim):
        JobHandle(mine.job).record("count", {"number": 4})
    assert JobEvent.objects.count() == recorded


def test_the_next_attempt_takes_what_was_kept_and_the_one_before_reaches_it_no_more(alice: User) -> None:
    mine = held(alice)
    folder = mine.work_dir
    (folder / "state").write_text("first half", encoding="utf-8")
    theirs = taken_over(mine)
    assert (theirs.work_dir / "state").read_text(encoding="utf-8") == "first half"
    # Woken in the middle of saving, it saves to a place that nobody reads.
    mine.work_dir.mkdir(exist_ok=True)
    (mine.work_dir / "state").write_text("of one thought dead", encoding="utf-8")
    assert (theirs.work_dir / "state").read_text(encoding="utf-8") == "first half"
    third = taken_over(theirs)
    assert (third.work_dir / "state").read_text(encoding="utf-8") == "first half"
    assert kept_dir(mine.job) == third.work_dir


def test_an_attempt_takes_no_folder_once_it_is_overtaken(alice: User) -> None:
    mine = held(alice)
    taken_over(mine)
    with pytest.raises(LostClaim):
        _ = mine.work_dir
    assert not work_dir(mine.job).exists()


def test_what_was_brought_along_and_what_earlier_versions_kept_is_there(alice: User) -> None:
    mine = held(alice)
    work_dir(mine.job).mkdir(parents=True)
    (work_dir(mine.job) / "posts.txt").write_text("brought", encoding="utf-8")
    assert kept_dir(mine.job) == work_dir(mine.job)
    assert [path.name for path in mine.work_dir.iterdir()] == ["posts.txt"]
    assert kept_dir(mine.job) == mine.work_dir


def fails(handle: JobHandle) -> dict[str, Any]:
    raise JobFailed("broken", "It broke.")


def test_a_process_that_dies_while_it_ends_a_job_has_not_ended_it(alice: User) -> None:
    class Killed(BaseException):
        pass

    def dies(job: Job) -> None:
        Job.objects.filter(pk=job.pk).update(title="half in line")
        raise Killed

    job = held(alice, fails, ended=dies).job
    with pytest.raises(Killed):
        worker.run_claimed(job)
    job.refresh_from_db()
    assert (job.state, job.title) == (State.RUNNING, "Count")
    assert not job.events.filter(payload__state="failed").exists()


def test_what_cannot_be_brought_in_line_keeps_no_job_from_ending(
    alice: User, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(job: Job) -> None:
        Job.objects.filter(pk=job.pk).update(title="half in line")
        raise RuntimeError("a mistake of ours")

    job = held(alice, fails, ended=breaks).job
    monkeypatch.setattr(logging.getLogger("botfactory"), "propagate", True)
    worker.run_claimed(job)
    job.refresh_from_db()
    assert (job.state, job.title) == (State.FAILED, "Count")
    assert job.events.filter(payload__state="failed").count() == 1
    assert "could not be brought in line" in caplog.text


def test_a_time_limit_that_strikes_while_pages_are_told_ends_the_job(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    struck: list[bool] = []

    async def strikes(*args: Any) -> None:
        if not struck:
            struck.append(True)
            raise SoftTimeLimitExceeded

    job = held(alice).job
    layer = type("Layer", (), {"group_send": strikes})()
    monkeypatch.setattr(events, "get_channel_layer", lambda: layer)
    worker.run_claimed(job)
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.FAILED, "time_limit")


def test_a_job_has_all_the_minutes_of_the_limit_before_it_ends_and_then_its_process(settings: Any) -> None:
    limits = app.conf.task_soft_time_limit, app.conf.task_time_limit
    assert limits[0] == settings.JOB_TIME_LIMIT_MINUTES * 60
    assert limits[0] < limits[1] < app.conf.broker_transport_options["visibility_timeout"]


def test_the_heart_goes_on_beating_after_any_error_of_the_database(
    alice: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.JOB_HEARTBEAT_SECONDS = 1
    monkeypatch.setattr(handle, "LOOK_SECONDS", 0.01)
    looked = threading.Event()
    errors: list[Exception] = [InterfaceError("connection already closed"), RuntimeError("a mistake of ours")]
    mine = held(alice)
    look = mine._look

    def fails_twice() -> None:
        if threading.current_thread() is not threading.main_thread():
            if errors:
                raise errors.pop()
            looked.set()
        look()

    monkeypatch.setattr(mine, "_look", fails_twice)
    with mine:
        assert looked.wait(60), "it looks again after each"


def test_a_fence_inside_another_is_one_transaction(alice: User) -> None:
    mine = held(alice)
    with pytest.raises(RuntimeError), mine.fenced():
        mine.record("count", {"number": 1})
        raise RuntimeError("what came with it went wrong")
    assert not mine.job.events.filter(kind="count").exists()
    with transaction.atomic(), mine.fenced():
        mine.record("count", {"number": 1})
    assert mine.job.events.filter(kind="count").count() == 1


def test_folders_of_attempts_are_told_apart_by_number_not_by_letter(alice: User) -> None:
    job = held(alice).job
    for number in (2, 10):
        kept = work_dir(job) / f"attempt-{number}" / f"of-{number}"
        kept.mkdir(parents=True)
    Job.objects.filter(pk=job.pk).update(attempt=11)
    job.refresh_from_db()
    assert [path.name for path in JobHandle(job).work_dir.iterdir()] == ["of-10"]
