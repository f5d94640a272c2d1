"""`/api/v1/jobs` with real requests, and its streams under ASGI."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient
from django.utils import timezone

from botfactory.accounts import tokens
from botfactory.accounts.models import PersonalLimits, User
from botfactory.jobs import events, services, stream, worker
from botfactory.jobs.errors import JobFailed
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.models import Job
from botfactory.jobs.states import State
from models_app.bots import epochs
from tests.at_once import at_once
from tests.conftest import signed_in
from tests.jobs.kinds import KEEPS_THE_BEST, count_to_three, kind
from tests.rest.helpers import V1, Program, require_error

pytestmark = pytest.mark.django_db(transaction=True)

EPOCH = {
    "epoch": 1,
    "train_loss": 1.5,
    "validation_loss": 1.4,
    "bits_per_character": 2.02,
    "learning_rate": 0.001,
    "seconds": 3.5,
    "best": True,
    "samples": ["hello"],
}


@pytest.fixture(autouse=True)
async def close_connections() -> AsyncIterator[None]:
    """Close the database session of the thread that reads rows for an async test."""
    yield
    await sync_to_async(connections.close_all)()


def submit(owner: User, title: str = "A test", name: str = "test", run: Any = count_to_three, **values: Any) -> Job:
    kind(name, run, **values)
    return services.submit(owner=owner, kind=name, title=title, arguments={"asked": 1})


def fail(handle: JobHandle) -> dict[str, Any]:
    raise JobFailed("no_luck", "It did not work out.")


def test_a_waiting_and_an_ended_job_tell_what_there_is_to_tell(alice: User, bob: User) -> None:
    submit(bob, "of somebody else")
    job = submit(alice, details=lambda job: {"asked": job.arguments["asked"]})
    program = Program(alice)
    shown = program.get(f"/jobs/{job.pk}").json()
    assert (shown["state"], shown["queue_position"], shown["waits_for"]) == ("queued", 2, "turn")
    assert (shown["details"], shown["progress"], shown["error"], shown["result"]) == ({"asked": 1}, None, None, None)
    assert shown["created_at"].endswith("Z") and shown["finished_at"] is None
    worker.run(job.pk)
    shown = program.get(f"/jobs/{job.pk}").json()
    assert (shown["state"], shown["queue_position"], shown["result"]) == ("succeeded", None, {"counted": 3})
    assert shown["progress"]["percent"] == 100.0 and shown["finished_at"].endswith("Z")


def test_a_running_training_tells_when_it_will_be_done_and_its_best(alice: User) -> None:
    job = submit(alice, describe=epochs.FINE_TUNE)
    undescribed = submit(alice, name="other")
    events.record(undescribed, "epoch", EPOCH)
    progress = {"phase": "training", "fraction": 0.415, "epoch": 2, "epochs": 3, "seconds_left": 60.0}
    Job.objects.filter(pk=job.pk).update(state=State.RUNNING, progress=progress)
    events.record(job, "epoch", EPOCH)
    events.record(job, "epoch", {**EPOCH, "epoch": 2, "best": False, "validation_loss": 1.6})
    program = Program(alice)
    shown = program.get(f"/jobs/{job.pk}").json()
    assert shown["best_checkpoint"] == {"epoch": 1, "train_loss": 1.5, "val_loss": 1.4}
    assert (shown["progress"]["phase"], shown["progress"]["percent"]) == ("training", 41.5)
    left = timezone.datetime.fromisoformat(shown["estimated_finish"]) - timezone.now()  # type: ignore[attr-defined]
    assert timedelta(seconds=30) < left <= timedelta(seconds=60)
    kept = program.get(f"/jobs/{job.pk}/checkpoints").json()
    assert [(epoch["epoch"], epoch["val_loss"]) for epoch in kept["data"]] == [(1, 1.4), (2, 1.6)]
    assert kept["has_more"] is False and kept["data"][0]["samples"] == ["hello"]
    assert program.get(f"/jobs/{undescribed.pk}").json()["best_checkpoint"] is None


def test_what_failed_says_why_and_can_be_tried_again_once(alice: User) -> None:
    job = submit(alice, run=fail)
    worker.run(job.pk)
    program = Program(alice)
    shown = program.get(f"/jobs/{job.pk}").json()
    assert shown["error"] == {"code": "no_luck", "message": "It did not work out."}
    require_error(program.post(f"/jobs/{job.pk}/stop"), 409, "not_possible")
    require_error(program.post(f"/jobs/{job.pk}/cancel"), 409, "not_possible")
    PersonalLimits.objects.create(user=alice, queued_jobs=0)
    require_error(program.post(f"/jobs/{job.pk}/retry"), 409, "limit_reached", "queued_jobs")
    PersonalLimits.objects.all().delete()
    again = program.post(f"/jobs/{job.pk}/retry", Idempotency_Key="one")
    assert again.status_code == 200 and again.json()["state"] == "queued"
    require_error(program.post(f"/jobs/{job.pk}/retry"), 409, "not_possible")
    # The same key gives the same answer, marked, and does nothing again.
    replayed = program.post(f"/jobs/{job.pk}/retry", Idempotency_Key="one")
    assert replayed.json() == again.json() and replayed["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in again.headers
    require_error(
        program.post(f"/jobs/{job.pk}/cancel", Idempotency_Key="one"), 422, "idempotency_key_reused", "Idempotency-Key"
    )
    require_error(
        program.post(f"/jobs/{job.pk}/cancel", Idempotency_Key="two words"),
        422,
        "bad_idempotency_key",
        "Idempotency-Key",
    )


def test_what_was_refused_may_be_sent_again_with_its_key(alice: User, bob: User) -> None:
    job = submit(alice, run=fail)
    program = Program(alice)
    require_error(program.post(f"/jobs/{job.pk}/retry", Idempotency_Key="k"), 409, "not_possible")
    worker.run(job.pk)
    assert program.post(f"/jobs/{job.pk}/retry", Idempotency_Key="k").status_code == 200
    # Keys are each person's own.
    require_error(Program(bob).post(f"/jobs/{job.pk}/retry", Idempotency_Key="k"), 404, "not_found")


@pytest.mark.differs
def test_two_at_once_with_the_same_key_do_the_work_once(alice: User) -> None:
    job = submit(alice, run=fail)
    worker.run(job.pk)
    programs = iter([Program(alice) for _ in range(6)])
    answers = at_once(6, lambda: next(programs).post(f"/jobs/{job.pk}/retry", Idempotency_Key="at-once"))
    done = [answer for answer in answers if answer.status_code == 200]
    assert len({answer.content for answer in done}) == 1
    assert len([answer for answer in done if "Idempotency-Replayed" not in answer.headers]) == 1
    for answer in answers:
        if answer.status_code != 200:
            require_error(answer, 409, "idempotency_in_progress", "Idempotency-Key")
    queued = [event for event in job.events.filter(kind="state") if event.payload["state"] == "queued"]
    assert len(queued) == 2


def test_cancel_and_stop(alice: User) -> None:
    program, job, running = Program(alice), submit(alice), submit(alice)
    require_error(program.post(f"/jobs/{running.pk}/stop"), 409, "not_possible")
    kind("test", count_to_three, keeps_the_best=KEEPS_THE_BEST)
    assert program.post(f"/jobs/{job.pk}/cancel").json()["state"] == "cancelled"
    Job.objects.filter(pk=running.pk).update(state=State.RUNNING)
    assert program.post(f"/jobs/{running.pk}/stop").json()["stop_requested"] is True
    assert program.post(f"/jobs/{running.pk}/cancel").json()["state"] == "cancelling"


def test_the_list_is_filtered_and_paged_also_while_states_change(alice: User, bob: User) -> None:
    jobs = [submit(alice, f"job {number}") for number in range(3)]
    other, foreign = submit(alice, "other", name="other"), submit(bob)
    program = Program(alice)

    def ids(query: str) -> list[str]:
        return [job["id"] for job in program.get(f"/jobs{query}").json()["data"]]

    assert ids("") == [str(job.pk) for job in [other, *reversed(jobs)]]
    assert ids("?kind=other") == [str(other.pk)] and ids("?state=running") == []
    first = program.get("/jobs?state=queued&kind=test&limit=1").json()
    assert first["has_more"] and first["data"][0]["id"] == str(jobs[2].pk)
    worker.run(jobs[2].pk)
    assert ids(f"?state=queued&kind=test&after={jobs[2].pk}") == [str(jobs[1].pk), str(jobs[0].pk)]
    require_error(program.get("/jobs?state=lost"), 422, "bad_value", "state")
    for wrong in ("%00", "", "finetune"):
        assert "fine_tune" in require_error(program.get(f"/jobs?kind={wrong}"), 422, "bad_value", "kind")
    require_error(program.get("/jobs?state=failed&state=queued"), 422, "repeated_field", "state")
    stranger = Program(bob).get("/jobs?kind=test").json()["data"]
    assert [job["id"] for job in stranger] == [str(foreign.pk)]
    require_error(program.get(f"/jobs?after={foreign.pk}"), 422, "bad_value", "after")


def test_events_in_pages(alice: User) -> None:
    job = submit(alice)
    worker.run(job.pk)
    program = Program(alice)
    rows = list(job.events.order_by("sequence"))
    page = program.get(f"/jobs/{job.pk}/events?limit=4").json()
    assert [event["sequence"] for event in page["data"]] == [1, 2, 3, 4] and page["has_more"]
    rest = program.get(f"/jobs/{job.pk}/events?after=4").json()
    assert [event["sequence"] for event in rest["data"]] == [row.sequence for row in rows[4:]]
    for query, param in (("after=-1", "after"), ("after=9999999999", "after"), ("stream=2", "stream")):
        require_error(program.get(f"/jobs/{job.pk}/events?{query}"), 422, "bad_value", param)


def test_a_strangers_job_is_as_one_that_does_not_exist(alice: User, bob: User, admin: User) -> None:
    job = submit(alice)
    strangers = [Program(bob), Program(admin, "read", "write", "admin")]
    paths = [("GET", path) for path in ("", "/events", "/events?stream=1", "/checkpoints")]
    paths += [("POST", path) for path in ("/cancel", "/stop", "/retry")]
    for method, path in paths:
        for stranger in strangers:
            answers = [stranger.ask(method, f"/jobs/{number}{path}") for number in (job.pk, uuid.uuid4())]
            assert require_error(answers[0], 404, "not_found") == require_error(answers[1], 404, "not_found")
        require_error(Program(None).ask(method, f"/jobs/{job.pk}{path}"), 401, "not_authenticated")
    reader, writer = Program(alice, "read"), Program(alice, "write")
    for method, path in paths:
        wrong = reader if method == "POST" else writer
        require_error(wrong.ask(method, f"/jobs/{job.pk}{path}"), 403, "missing_scope")
    late = Program(alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    require_error(late.get(f"/jobs/{job.pk}"), 401, "bad_token")
    job.refresh_from_db()
    assert job.state == State.QUEUED
    assert not Program(bob).get("/jobs").json()["data"]


def parsed(text: str) -> list[dict[str, str]]:
    """Return the events of a stream, without comments."""
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


async def open_stream(job: Job, owner: User, query: str = "", **headers: str) -> Any:
    text = (await sync_to_async(tokens.create_token)(owner=owner, name="stream")).text
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"{V1}/jobs/{job.pk}/events?stream=1{query}"
    return await AsyncClient().get(path, headers={"Authorization": f"Bearer {text}", **named})


async def read(answer: Any) -> list[dict[str, str]]:
    return parsed("".join([piece.decode() async for piece in answer.streaming_content]))


async def test_a_stream_tells_what_was_and_what_happens_and_ends_with_the_job(alice: User) -> None:
    job = await sync_to_async(submit)(alice)
    answer = await open_stream(job, alice)
    assert answer.status_code == 200 and answer["Content-Type"] == "text/event-stream" and answer["X-Request-Id"]
    reading = asyncio.create_task(read(answer))
    await asyncio.sleep(0.3)
    assert not reading.done()
    await sync_to_async(worker.run)(job.pk)
    found = await asyncio.wait_for(reading, 20)
    numbered = [event for event in found if "id" in event]
    assert [event["id"] for event in numbered] == [str(number) for number in range(1, 7)]
    assert [event["event"] for event in numbered] == ["state", "state", "count", "count", "count", "state"]
    polled = await sync_to_async(lambda: Program(alice).get(f"/jobs/{job.pk}/events").json()["data"])()
    assert [json.loads(event["data"]) for event in numbered] == polled
    assert found[-1]["event"] == "job" and json.loads(found[-1]["data"])["state"] == "succeeded"


async def test_a_stream_goes_on_where_it_was_cut(alice: User) -> None:
    job = await sync_to_async(submit)(alice)
    await sync_to_async(worker.run)(job.pk)
    after = await read(await open_stream(job, alice, "&after=4"))
    assert [event["id"] for event in after if "id" in event] == ["5", "6"]
    # A browser that reconnects still uses its first address.
    again = await read(await open_stream(job, alice, "&after=1", Last_Event_ID="5"))
    assert [event["id"] for event in again if "id" in event] == ["6"]
    assert (await open_stream(job, alice, Last_Event_ID="6")).status_code == 204


async def test_who_has_no_access_any_more_watches_no_longer(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PING_SECONDS", 0.05)
    job = await sync_to_async(submit)(alice)
    answer = await open_stream(job, alice)
    pieces = answer.streaming_content
    seen = ""
    while ": still here" not in seen:
        seen += (await asyncio.wait_for(anext(pieces), 10)).decode()
    await sync_to_async(alice.api_tokens.update)(revoked_at=timezone.now())
    async with asyncio.timeout(10):
        rest = [piece async for piece in pieces]
    assert b"event:" not in b"".join(rest)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}])
async def test_a_session_streams_as_well(alice: User, headers: dict[str, str]) -> None:
    job = await sync_to_async(submit)(alice)
    await sync_to_async(worker.run)(job.pk)
    client = AsyncClient()
    client.cookies = (await sync_to_async(signed_in)(alice)).cookies
    found = await read(await client.get(f"{V1}/jobs/{job.pk}/events?stream=1", headers=headers))
    assert [event["id"] for event in found if "id" in event] == [str(number) for number in range(1, 7)]


def test_an_answer_that_is_kept_for_a_key_goes_with_its_job(alice: User) -> None:
    job, other, program = submit(alice), submit(alice), Program(alice)

    def cancel(number: uuid.UUID) -> Any:
        return program.post(f"/jobs/{number}/cancel", Idempotency_Key=str(number))

    first, second = cancel(job.pk), cancel(other.pk)
    assert cancel(job.pk).json() == first.json()
    assert program.ask("DELETE", f"/jobs/{job.pk}").status_code == 204
    require_error(cancel(job.pk), 409, "answer_not_kept", "Idempotency-Key")
    assert cancel(other.pk).json() == second.json()


def test_an_ended_job_is_deleted_and_no_other(alice: User, bob: User) -> None:
    job, program = submit(alice), Program(alice)
    require_error(Program(bob).ask("DELETE", f"/jobs/{job.pk}"), 404, "not_found")
    require_error(program.ask("DELETE", f"/jobs/{job.pk}"), 409, "not_possible")
    services.cancel(job)
    require_error(Program(bob).ask("DELETE", f"/jobs/{job.pk}"), 404, "not_found")
    assert program.ask("DELETE", f"/jobs/{job.pk}").status_code == 204
    require_error(program.ask("DELETE", f"/jobs/{job.pk}"), 404, "not_found")
    assert not Job.objects.exists()
