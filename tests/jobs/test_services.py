from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection, connections
from django.db.models import QuerySet
from django.utils import timezone

from botfactory.accounts.models import User
from botfactory.jobs import ending, events, services, worker
from botfactory.jobs.errors import ComeBackLater, JobFailed, LostClaim, NotPossible
from botfactory.jobs.handle import JobHandle, work_dir
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from tests.at_once import at_once
from tests.jobs.kinds import KEEPS_THE_BEST, count_to_three, kind

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


def submit(owner: User, run: Any = count_to_three, **values: Any) -> Job:
    kind("test", run, keeps_the_best=KEEPS_THE_BEST)
    return services.submit(owner=owner, kind="test", title="A test", arguments={}, **values)


def _of_rows(settled: list[str]) -> str:
    """Return a kind of jobs whose rows are brought in line by noting the state of the job."""
    return kind("of rows", lambda handle: {}, ended=lambda job: settled.append(job.state)).name


def states(job: Job) -> list[str]:
    return [event.payload["state"] for event in job.events.filter(kind="state")]


def test_a_job_runs_and_succeeds(alice: User) -> None:
    job = submit(alice)
    worker.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result, job.progress) == (State.SUCCEEDED, {"counted": 3}, {"fraction": 1.0})
    assert states(job) == ["queued", "running", "succeeded"]
    assert job.started_at is not None and job.finished_at is not None


def test_events_are_numbered_without_gaps(alice: User) -> None:
    job = submit(alice)
    worker.run(job.pk)
    job.refresh_from_db()
    sequences = list(job.events.values_list("sequence", flat=True))
    assert sequences == list(range(1, len(sequences) + 1))
    assert job.last_sequence == len(sequences)


def test_the_snapshot_after_a_sequence_holds_what_came_later(alice: User) -> None:
    job = submit(alice)
    worker.run(job.pk)
    whole = events.snapshot(job)["events"]
    assert events.snapshot(job, after=3)["events"] == whole[3:]
    assert [e["payload"] for e in whole if e["kind"] == "count"] == [{"number": n} for n in (1, 2, 3)]


def test_a_second_message_for_the_same_job_does_nothing(alice: User) -> None:
    job = submit(alice)
    worker.run(job.pk)
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.attempt == 1
    assert job.events.filter(kind="count").count() == 3


def test_of_many_claims_at_once_one_wins(alice: User) -> None:
    job = submit(alice)
    claims = at_once(4, lambda: worker.claim(job.pk))
    assert sum(claim is not None for claim in claims) == 1


def test_events_recorded_at_once_all_get_a_number(alice: User) -> None:
    job = submit(alice)

    def record() -> None:
        for _ in range(10):
            events.record(Job.objects.get(pk=job.pk), "count", {})

    at_once(4, record)
    assert list(job.events.values_list("sequence", flat=True)) == list(range(1, 42))


def test_a_queued_job_is_cancelled_at_once(alice: User) -> None:
    job = services.cancel(submit(alice))
    assert job.state == State.CANCELLED
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.attempt == 0


def test_a_running_job_is_cancelled_when_it_looks(alice: User) -> None:
    def run(handle: JobHandle) -> dict[str, Any]:
        services.cancel(handle.job)
        while True:
            handle.check()

    job = submit(alice, run)
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert states(job) == ["queued", "running", "cancelling", "cancelled"]


@pytest.mark.parametrize("act", [services.cancel, services.stop])
def test_a_worker_sees_what_it_is_asked_only_together_with_the_event_of_that(
    alice: User, monkeypatch: pytest.MonkeyPatch, act: Callable[[Job], Job]
) -> None:
    job = submit(alice)
    worker.claim(job.pk)
    inside: list[bool] = []
    record = events.record

    def noted(about: Job, kind: str, payload: dict[str, Any]) -> Any:
        # Otherwise, its worker could end the job now, and the event of that would come first.
        inside.append(connection.in_atomic_block)
        return record(about, kind, payload)

    monkeypatch.setattr(events, "record", noted)
    act(job)
    assert inside == [True]


def test_a_job_that_its_worker_puts_back_in_the_middle_of_a_cancel_is_cancelled(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(alice)
    worker.claim(job.pk)

    def end_and_put_back(rows: QuerySet[Job], state: State) -> bool:
        ended = ending.end(rows, state)
        Job.objects.filter(pk=job.pk, state=State.RUNNING).update(state=State.QUEUED)
        return ended

    monkeypatch.setattr(services, "end", end_and_put_back)
    assert services.cancel_all(Job.objects.filter(owner=alice)) == 1
    job.refresh_from_db()
    assert (job.state, states(job)[-1]) == (State.CANCELLED, "cancelled")


def test_a_job_that_fails_while_it_is_cancelled_ends_as_cancelled(alice: User) -> None:
    def run(handle: JobHandle) -> dict[str, Any]:
        services.cancel(handle.job)
        raise JobFailed("broken", "It broke.")

    job = submit(alice, run)
    worker.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.CANCELLED, "")


def test_stop_reaches_the_runner_and_ends_as_succeeded(alice: User) -> None:
    def run(handle: JobHandle) -> dict[str, Any]:
        services.stop(handle.job)
        while handle.control() != "stop":
            pass
        return {"kept": "the best"}

    job = submit(alice, run)
    worker.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result) == (State.SUCCEEDED, {"kept": "the best"})


def test_a_failure_shows_its_sentence(alice: User) -> None:
    def run(handle: JobHandle) -> dict[str, Any]:
        raise JobFailed("no_posts", "There was not a single post in it.")

    job = submit(alice, run)
    worker.run(job.pk)
    snapshot = events.snapshot(job)
    assert snapshot["job"]["error"] == {"code": "no_posts", "message": "There was not a single post in it."}
    assert snapshot["events"][-1]["payload"]["message"] == "There was not a single post in it."


def test_an_unforeseen_error_is_told_without_its_details(alice: User) -> None:
    def run(handle: JobHandle) -> dict[str, Any]:
        raise RuntimeError("password=secret")

    job = submit(alice, run)
    worker.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.FAILED, "internal_error")
    assert "secret" not in job.error_message and str(job.pk) in job.error_message


def test_a_failed_job_keeps_its_work_and_a_retry_goes_on_from_it(alice: User) -> None:
    def run(handle: JobHandle) -> dict[str, Any]:
        kept = handle.work_dir / "kept"
        if kept.exists():
            return {"went on": True}
        kept.write_text("half", encoding="utf-8")
        raise JobFailed("broken", "It broke.")

    job = submit(alice, run)
    worker.run(job.pk)
    Job.objects.filter(pk=job.pk).update(started_at=timezone.now() - timedelta(days=1))
    services.retry(Job.objects.get(pk=job.pk))
    worker.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result, job.error_code) == (State.SUCCEEDED, {"went on": True}, "")
    # What it took is counted from the retry, as its age is.
    assert job.started_at is not None and job.started_at >= job.created_at
    assert not work_dir(job).exists()


def test_a_job_that_comes_back_later_waits_for_its_time(alice: User) -> None:
    at = timezone.now() + timedelta(minutes=5)

    def run(handle: JobHandle) -> dict[str, Any]:
        raise ComeBackLater(at, "X asks us to wait.")

    job = submit(alice, run)
    worker.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.available_at) == (State.QUEUED, at)
    assert job.progress == {"phase": "waiting", "until": at.isoformat(), "message": "X asks us to wait."}
    assert worker.claim(job.pk) is None
    Job.objects.filter(pk=job.pk).update(available_at=timezone.now())
    assert worker.claim(job.pk) is not None


@pytest.mark.parametrize("act", [services.cancel, services.stop])
def test_an_ended_job_is_left_alone(alice: User, act: Any) -> None:
    job = submit(alice)
    worker.run(job.pk)
    with pytest.raises(NotPossible):
        act(Job.objects.get(pk=job.pk))
    assert Job.objects.get(pk=job.pk).state == State.SUCCEEDED


def test_a_running_job_is_not_retried(alice: User) -> None:
    job = submit(alice)
    worker.claim(job.pk)
    with pytest.raises(NotPossible):
        services.retry(job)


def test_the_heartbeat_goes_on_while_the_runner_is_busy(alice: User, settings: Any) -> None:
    settings.JOB_HEARTBEAT_SECONDS = 1

    def run(handle: JobHandle) -> dict[str, Any]:
        first = Job.objects.get(pk=handle.job.pk).heartbeat_at
        deadline = timezone.now() + timedelta(seconds=10)
        while Job.objects.get(pk=handle.job.pk).heartbeat_at == first:
            assert timezone.now() < deadline, "no heartbeat came"
        return {}

    job = submit(alice, run)
    worker.run(job.pk)
    assert Job.objects.get(pk=job.pk).state == State.SUCCEEDED


def test_places_in_the_queue_count_from_one(alice: User, bob: User) -> None:
    first, second, third = submit(alice), submit(bob), submit(alice)
    assert [events.queue_position(job) for job in (first, second, third)] == [1, 2, 3]
    worker.claim(first.pk)
    first.refresh_from_db()
    assert [events.queue_position(job) for job in (first, second, third)] == [None, 1, 2]


def test_a_submitted_job_rings_at_once_and_the_message_names_its_queue_alone(alice: User) -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        broker.delete("botfactory.default")
        job = submit(alice)
        (message,) = broker.lrange("botfactory.default", 0, -1)
    arguments = json.loads(base64.b64decode(json.loads(message)["body"]))[:2]
    assert arguments == [["default"], {}]
    job.refresh_from_db()
    assert job.rung_at is not None


def test_a_job_that_is_deleted_while_it_runs_ends_quietly(alice: User) -> None:
    def run(handle: JobHandle) -> dict[str, Any]:
        services.delete_jobs(Job.objects.filter(pk=handle.job.pk))
        with pytest.raises(LostClaim):
            handle.progress({"fraction": 0.5})
        raise RuntimeError("its rows are gone")

    worker.run(submit(alice, run).pk)
    assert not Job.objects.exists()


@pytest.mark.parametrize(("with_subject", "told"), [(False, ["queued", "running"]), (True, [])])
def test_what_unfinished_jobs_were_about_is_brought_in_line_when_they_are_deleted(
    alice: User, with_subject: bool, told: list[str]
) -> None:
    settled: list[str] = []
    name = _of_rows(settled)
    done, running, _ = (services.submit(owner=alice, kind=name, title="It", arguments={}) for _ in range(3))
    worker.run(done.pk)
    worker.claim(running.pk)
    services.delete_jobs(Job.objects.all(), with_subject=with_subject)
    assert sorted(settled) == told and not Job.objects.exists()


def test_a_job_of_a_kind_that_no_longer_exists_can_be_deleted(alice: User) -> None:
    job = submit(alice)
    Job.objects.filter(pk=job.pk).update(kind="of a removed app")
    assert services.delete_jobs(Job.objects.all()) == 1


def test_a_job_is_deleted_or_tried_again_but_not_both(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    job = services.cancel(submit(alice))
    delete = services.delete_jobs
    with ThreadPoolExecutor(1) as pool:
        retries: list[Future[Job]] = []

        def retry() -> Job:
            try:
                return services.retry(job)
            finally:
                connections.close_all()

        def delete_slowly(jobs: QuerySet[Job]) -> int:
            retries.append(pool.submit(retry))
            wait(retries, timeout=0.3)
            return delete(jobs)

        monkeypatch.setattr(services, "delete_jobs", delete_slowly)
        services.delete_ended(Job.objects.get(pk=job.pk))
    (retried,) = retries
    assert isinstance(retried.exception(), Job.DoesNotExist) and not Job.objects.exists()


def test_deleting_a_job_takes_its_folder_along(alice: User) -> None:
    def run(handle: JobHandle) -> dict[str, Any]:
        (handle.work_dir / "kept").write_text("half", encoding="utf-8")
        raise JobFailed("broken", "It broke.")

    job = submit(alice, run)
    worker.run(job.pk)
    folder: Path = work_dir(job)
    assert folder.exists()
    services.delete_jobs(Job.objects.filter(pk=job.pk))
    assert not folder.exists()


def test_people_see_their_own_jobs_only(alice: User, bob: User, admin: User) -> None:
    from django.contrib.auth.models import AnonymousUser

    job = submit(alice)
    assert services.job_for_user(alice, job.pk) == job
    for stranger in (bob, admin, AnonymousUser()):
        with pytest.raises(Job.DoesNotExist):
            services.job_for_user(stranger, job.pk)
    alice.is_active = False
    with pytest.raises(Job.DoesNotExist):
        services.job_for_user(alice, job.pk)


def test_all_who_wait_are_told_of_their_place_over_one_connection(
    alice: User, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    jobs = [submit(alice) for _ in range(5)]
    told: list[tuple[int, str, dict[str, Any]]] = []

    class Layer:
        async def group_send(self, group: str, message: dict[str, Any]) -> None:
            told.append((id(asyncio.get_running_loop()), group, json.loads(message["text"])))

    monkeypatch.setattr(events, "get_channel_layer", Layer)
    with django_assert_num_queries(3):  # the line takes two of them
        events.announce_queue("default")
    places = {group: message["job"]["queue_position"] for _, group, message in told}
    assert places == {events.group_of(job): place for place, job in enumerate(jobs, start=1)}
    assert len({loop for loop, _, _ in told}) == 1
