"""A new kind of job is a module and a line that registers it. Lists, pages, API and socket need nothing else."""

from __future__ import annotations

import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from pydantic import Field

from botfactory.accounts import limits
from botfactory.accounts.models import User
from botfactory.jobs import kinds, services, worker
from botfactory.jobs.errors import JobFailed
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.kinds import Beginning, Description, JobKind, KeepsTheBest
from botfactory.jobs.models import KEEP_WORK_HOURS, Job
from botfactory.jobs.states import State
from botfactory.ops import workers
from botfactory.rest.schemas import Output
from tests.conftest import signed_in
from tests.edge.serving import wait_until
from tests.jobs.test_consumers import follow, socket
from tests.rest.helpers import Program, require_error

pytestmark = pytest.mark.django_db(transaction=True)

# ---- The module of the new kind

go_on: Final = threading.Event()


class SheepProgress(Output):
    sheep: int | None = Field(None, description="Of a count: sheep so far.")


def count_sheep(handle: JobHandle) -> dict[str, Any]:
    """Count sheep until somebody says what to do next. The work folder stores the number."""
    kept = handle.work_dir / "sheep"
    sheep = int(kept.read_text(encoding="utf-8")) if kept.exists() else 0
    while True:
        sheep += 1
        kept.write_text(str(sheep), encoding="utf-8")
        handle.record("sheep", {"sheep": sheep})
        handle.progress({"phase": "counting", "fraction": 0.25, "message": f"Sheep {sheep} jumps", "sheep": sheep})
        if handle.job.arguments.get("wolf") and sheep == 2:
            raise JobFailed("wolf", f"A wolf has come. {KIND.kept}")
        while not go_on.wait(0.05):
            handle.check()
            if handle.control() == "stop":
                return {"sheep": sheep}
        if sheep >= 3:
            return {"sheep": sheep}


KIND: Final = JobKind(
    name="sheep",
    run=count_sheep,
    begins=Beginning(url="dashboard", button="Count sheep"),
    needs=lambda job: {"training_minutes_a_day": 7},
    details=lambda job: {"wolf": bool(job.arguments.get("wolf"))},
    describe=Description(progress=SheepProgress, example={"kind": "sheep"}),
    keeps_the_best=KeepsTheBest(
        question="Wake up?", loses="The sheep stay for %(hours)s hours.", go_on="Sleep on", cancel="Wake up"
    ),
    again="Count on",
    kept="The sheep are still here.",
)

# ----


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(kinds, "_kinds", dict(kinds._kinds))
    go_on.clear()
    kinds.register(KIND)
    yield
    go_on.set()


@pytest.fixture(autouse=True)
async def close_connections() -> AsyncIterator[None]:
    yield
    await sync_to_async(connections.close_all)()


def submit(owner: User, **arguments: Any) -> Job:
    return services.submit(owner=owner, kind="sheep", title="My sheep", arguments=arguments, subject_id=uuid.uuid4())


def at_work(job: Job) -> threading.Thread:
    """Have a worker take the job, in a thread, and wait until it counts."""

    def work() -> None:
        try:
            worker.run(job.pk)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    wait_until("a sheep", lambda: Job.objects.get(pk=job.pk).progress.get("sheep"))
    return thread


def test_lists_and_pages_show_it_as_it_describes_itself(alice: User) -> None:
    client = signed_in(alice)
    assert "Count sheep" in client.get("/jobs/").content.decode()
    job = submit(alice)
    assert limits.usage_of(alice).training_minutes_a_day == 7
    thread = at_work(job)
    listed, page = (client.get(path).content.decode() for path in ("/jobs/", f"/jobs/{job.pk}/"))
    assert "My sheep" in listed and "Sheep 1 jumps" in listed
    for words in ("any-job", "Wake up?", f"The sheep stay for {KEEP_WORK_HOURS} hours.", "Sleep on", "Count on"):
        assert words in page, words
    asked = client.post(f"/jobs/{job.pk}/cancel").content.decode()
    assert "Wake up?" in asked and f"The sheep stay for {KEEP_WORK_HOURS} hours." in asked
    client.post(f"/jobs/{job.pk}/stop")
    thread.join()
    job.refresh_from_db()
    assert (job.state, job.result) == (State.SUCCEEDED, {"sheep": 1})
    assert "Done" in client.get("/jobs/").content.decode()


def test_programs_watch_cancel_and_retry_it(alice: User) -> None:
    program, job = Program(alice), submit(alice, wolf=True)
    thread = at_work(job)
    shown = program.get(f"/jobs/{job.pk}").json()
    assert (shown["kind"], shown["details"], shown["corpus"]) == ("sheep", {"wolf": True}, None)
    assert (shown["progress"]["phase"], shown["progress"]["percent"]) == ("counting", 25.0)
    assert [each["id"] for each in program.get("/jobs?kind=sheep").json()["data"]] == [str(job.pk)]
    assert program.post(f"/jobs/{job.pk}/cancel").json()["state"] == "cancelling"
    thread.join()
    assert program.get(f"/jobs/{job.pk}").json()["state"] == "cancelled"
    assert program.post(f"/jobs/{job.pk}/retry").json()["state"] == "queued"
    worker.run(job.pk)
    shown = program.get(f"/jobs/{job.pk}").json()
    assert shown["error"] == {"code": "wolf", "message": "A wolf has come. The sheep are still here."}
    kinds_seen = [event["kind"] for event in program.get(f"/jobs/{job.pk}/events").json()["data"]]
    assert kinds_seen.count("sheep") == 2
    require_error(program.post(f"/jobs/{job.pk}/stop"), 409, "not_possible")


async def test_a_socket_follows_it(alice: User) -> None:
    go_on.set()
    job = await sync_to_async(submit)(alice)
    line = socket(await sync_to_async(signed_in)(alice), job.pk)
    assert (await line.connect())[0]
    await sync_to_async(worker.run)(job.pk)
    events = await follow(line, "succeeded")
    assert [event["payload"]["sheep"] for event in events if event["kind"] == "sheep"] == [1, 2, 3]
    await line.disconnect()


def test_a_queue_of_its_own_needs_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds.register(JobKind(name="goats", run=count_sheep, queue="meadow"))
    assert "meadow" in workers.needed()
