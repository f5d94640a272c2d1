"""/metrics: counted in this process, or read from the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from botfactory.accounts.models import User
from botfactory.asgi import application
from botfactory.jobs import worker
from botfactory.jobs.errors import JobFailed
from botfactory.jobs.models import Job, JobEvent
from botfactory.jobs.states import State
from models_app.bots.rows import TrainedModel
from tests.conftest import signed_in
from tests.jobs.test_consumers import close_connections as close_connections
from tests.jobs.test_services import submit
from tests.lines import Line
from tests.models_app.conftest import base as base
from tests.models_app.conftest import import_posts
from tests.ops.helpers import value

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

#: The same however many jobs there are.
MAX_QUERIES = 8


@pytest.fixture
def page() -> Callable[[], str]:
    """The page of metrics, asked for anew."""

    def read() -> str:
        answer = Client().get("/metrics")
        assert answer["Content-Type"].startswith("text/plain")
        return answer.content.decode()

    return read


def test_jobs_are_told_by_kind_and_state_and_failures_by_code(alice: User, page: Callable[[], str]) -> None:
    def fail(handle: Any) -> dict[str, Any]:
        raise JobFailed("broken", "It broke.")

    worker.run(submit(alice).pk)
    worker.run(submit(alice, fail).pk)
    submit(alice)
    text = page()
    for state, count in {State.SUCCEEDED: 1, State.FAILED: 1, State.QUEUED: 1, State.RUNNING: 0}.items():
        assert value(text, "botfactory_jobs", kind="test", state=state) == count
    assert value(text, "botfactory_failed_jobs", kind="test", code="broken") == 1
    assert value(text, "botfactory_database_up") == 1


def test_waits_durations_and_epochs_are_those_of_the_last_hour(alice: User, page: Callable[[], str]) -> None:
    now = timezone.now()
    for minutes in (10, 20, 90):
        job = submit(alice)
        worker.run(job.pk)
        ended = now - timedelta(minutes=minutes)
        times = {"available_at": ended - timedelta(seconds=102), "claimed_at": ended - timedelta(seconds=100)}
        Job.objects.filter(pk=job.pk).update(**times, heartbeat_at=ended, finished_at=ended)
        for sequence, seconds in enumerate((7.0, 70.0), start=100):
            JobEvent.objects.create(
                job=job, sequence=sequence, kind="epoch", payload={"seconds": seconds}, created_at=ended
            )
    text = page()
    assert value(text, "botfactory_job_wait_seconds_gcount", kind="test") == 2
    assert value(text, "botfactory_job_wait_seconds_gsum", kind="test") == 4
    assert value(text, "botfactory_job_wait_seconds_bucket", kind="test", le="1.0") == 0
    assert value(text, "botfactory_job_wait_seconds_bucket", kind="test", le="5.0") == 2
    assert value(text, "botfactory_job_seconds_gsum", kind="test") == 200
    assert value(text, "botfactory_job_seconds_bucket", kind="test", le="300.0") == 2
    assert value(text, "botfactory_epoch_seconds_gcount", kind="test") == 4
    assert value(text, "botfactory_epoch_seconds_bucket", kind="test", le="15.0") == 2


def test_how_long_the_queue_waits_is_told(alice: User, page: Callable[[], str]) -> None:
    job = submit(alice)
    later = submit(alice)
    Job.objects.filter(pk=job.pk).update(available_at=timezone.now() - timedelta(seconds=500))
    Job.objects.filter(pk=later.pk).update(available_at=timezone.now() + timedelta(hours=5))
    waited = value(page(), "botfactory_queue_oldest_seconds", queue="default")
    assert waited is not None and 500 <= waited < 600


def test_imports_and_posts_are_told_by_source_and_result(alice: User, page: Callable[[], str]) -> None:
    corpus = import_posts(alice)
    text = page()
    assert value(text, "botfactory_imports", source=corpus.source, result="succeeded") == 1
    assert value(text, "botfactory_posts", source=corpus.source, result="kept") == corpus.posts_kept
    dropped = corpus.posts_found - corpus.posts_kept
    assert value(text, "botfactory_posts", source=corpus.source, result="dropped") == dropped
    Job.objects.update(subject_id=None)
    assert value(page(), "botfactory_imports", source="deleted", result="succeeded") == 1


def test_a_scrape_makes_the_same_queries_however_many_jobs_there_are(
    alice: User, page: Callable[[], str], django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(MAX_QUERIES) as few:
        page()
    now = timezone.now()
    states = list(State)
    jobs = [
        Job(
            owner=alice,
            kind=f"kind {number % 5}",
            queue=f"queue {number % 3}",
            title="Many",
            state=states[number % len(states)],
            claimed_at=now,
            heartbeat_at=now,
            finished_at=now,
        )
        for number in range(2_000)
    ]
    Job.objects.bulk_create(jobs)
    JobEvent.objects.bulk_create(JobEvent(job=job, sequence=1, kind="epoch", payload={"seconds": 1}) for job in jobs)
    with django_assert_max_num_queries(MAX_QUERIES) as many:
        text = page()
    assert len(many) == len(few)
    assert value(text, "botfactory_jobs", kind="kind 0", state="queued") is not None


def test_writers_tell_what_they_do(base: TrainedModel, page: Callable[[], str]) -> None:
    text = page()
    assert value(text, "botfactory_writers") == 1
    assert value(text, "botfactory_writing_requests") == 0
    for tier in ("quick", "fluent"):
        assert (value(text, "botfactory_writing_characters_per_second", tier=tier) or 0) > 0
    assert value(text, "botfactory_writer_bytes") is not None


def test_without_the_database_the_counts_of_the_process_are_told(page: Callable[[], str]) -> None:
    def gone(*args: Any) -> None:
        raise DatabaseError("could not connect to server at 10.0.0.1")

    with connection.execute_wrapper(gone):
        text = page()
    assert value(text, "botfactory_database_up") == 0
    assert "botfactory_http_requests_total" in text and "10.0.0.1" not in text


def test_requests_are_counted_by_route_not_by_what_was_asked_for(
    alice: User, charlie: Client, page: Callable[[], str]
) -> None:
    job = submit(alice)
    name, route = "botfactory_http_requests_total", "/jobs/<uuid:job_id>/events"
    before = page()
    signed_in(alice).get(f"/jobs/{job.pk}/events")
    charlie.get("/no/such/page?told-to-nobody=1")
    charlie.get("/static/css/app.css")
    charlie.generic("BREW", "/no/such/page")
    after = page()

    def grown(**labels: str) -> float:
        return (value(after, name, **labels) or 0) - (value(before, name, **labels) or 0)

    assert grown(method="GET", route=route, status="200") == 1
    assert grown(method="GET", route="none", status="404") == 1
    assert grown(method="other", route="none", status="404") == 1
    assert grown(method="GET", route="/static/", status="200") == 1
    assert str(job.pk) not in after and "told-to-nobody" not in after and "no/such" not in after
    assert (value(after, "botfactory_http_request_seconds_count", route=route) or 0) >= 1


def test_writing_posts_is_timed(alice: User, base: TrainedModel, page: Callable[[], str]) -> None:
    before = page()
    answer = signed_in(alice).post(f"/models/{base.pk}/generate", {"count": "3", "temperature": "0.8", "top_k": "40"})
    assert answer.status_code == 302
    after = page()

    def grown(name: str) -> float:
        return (value(after, name) or 0) - (value(before, name) or 0)

    assert grown("botfactory_generation_seconds_count") == 1
    assert grown("botfactory_generation_seconds_sum") > 0
    assert grown("botfactory_generated_posts_total") == 3


async def test_open_sockets_are_counted_and_refused_ones_are_not(alice: User, page: Callable[[], str]) -> None:
    job = await sync_to_async(submit)(alice)
    client = await sync_to_async(signed_in)(alice)
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost")]

    async def clients() -> float | None:
        return value(await sync_to_async(page)(), "botfactory_websocket_clients")

    stranger = Line(application, f"/ws/jobs/{job.pk}/", headers=headers)
    assert not (await stranger.connect())[0]
    line = Line(application, f"/ws/jobs/{job.pk}/", headers=[*headers, (b"cookie", cookies.encode())])
    assert (await line.connect())[0]
    assert await clients() == 1
    await line.disconnect()
    assert await clients() == 0


def test_openmetrics_is_spoken_to_those_who_ask(alice: User) -> None:
    worker.run(submit(alice).pk)
    answer = Client().get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    parse: Any = text_string_to_metric_families
    names = {family.name for family in parse(answer.content.decode())}
    assert {"botfactory_jobs", "botfactory_http_requests", "botfactory_job_seconds"} <= names
