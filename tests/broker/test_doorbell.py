"""If a broker accepts connections and never answers, pages and programs continue, and the clock finds jobs."""

from __future__ import annotations

import contextlib
import copy
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import caches
from kombu import pools
from redis.exceptions import RedisError

from botfactory.accounts.models import User
from botfactory.broker import doorbell
from botfactory.celery import app
from botfactory.jobs import events, services, worker
from botfactory.jobs.models import Job
from botfactory.jobs.services import RUN_NEXT
from botfactory.webhooks import services as webhooks
from models_app.writing import admission
from models_app.writing.board import Board, client
from tests.at_once import at_once
from tests.conftest import signed_in
from tests.jobs.kinds import count_to_three, kind
from tests.rest.helpers import Program

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]

QUICK = {"socket_connect_timeout": 0.2, "socket_timeout": 0.2}


def use(settings: Any, monkeypatch: pytest.MonkeyPatch, url: str, **options: float) -> None:
    """Make everything use this broker."""
    layers, caching = copy.deepcopy(settings.CHANNEL_LAYERS), copy.deepcopy(settings.CACHES)
    layers["default"]["CONFIG"]["hosts"] = [{"address": url, **options}]
    caching["shared"] |= {"LOCATION": url, "OPTIONS": options}
    settings.CHANNEL_LAYERS, settings.CACHES, settings.BROKER_OPTIONS = layers, caching, options
    monkeypatch.setattr(app.conf, "broker_write_url", url)


@pytest.fixture
def hanging(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        use(settings, monkeypatch, f"redis://127.0.0.1:{server.getsockname()[1]}/0", **QUICK)
        monkeypatch.setattr(doorbell, "_HANGS", 0.1)
        monkeypatch.setattr(doorbell, "_PAUSE", 600.0)
        yield server
    doorbell.forget()


@pytest.fixture
def gone(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    use(settings, monkeypatch, f"redis://127.0.0.1:{port}/0", **QUICK)
    yield
    doorbell.forget()


def submit(owner: User) -> Job:
    kind("test", count_to_three)
    return services.submit(owner=owner, kind="test", title="A test", arguments={})


def tries(server: socket.socket) -> int:
    """Return how often somebody has connected since the last call."""
    server.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


def test_a_broker_that_hangs_holds_up_nobody_who_submits_a_job(hanging: socket.socket, alice: User) -> None:
    submit(alice)
    # The first call finds that the broker hangs.
    assert tries(hanging) > 0
    job = [submit(alice) for _ in range(4)][-1]
    # Five jobs wait by now, and each would get a message about its position.
    services.move_to_front(job)
    assert tries(hanging) == 0
    assert Job.objects.filter(state="queued", rung_at=None).count() == 5
    worker.run(job.pk)
    job.refresh_from_db()
    assert job.state == "succeeded"


@pytest.mark.parametrize("call", ["ring", "webhooks", "layer", "cache"])
def test_each_call_gives_up_in_time(hanging: socket.socket, alice: User, call: str) -> None:
    job = Job(owner=alice, queue="default", kind="test")
    calls: dict[str, Any] = {
        "ring": lambda: services.ring(job),
        "webhooks": webhooks.ring,
        "layer": lambda: events.publish(job),
        "cache": lambda: Program(alice).get("/me"),
    }
    begun = time.monotonic()
    calls[call]()
    first = time.monotonic() - begun
    assert 0.1 < first < 30
    # The next one isn't tried.
    with pytest.raises(doorbell.BrokerHangs), doorbell.waiting():
        pass


def test_of_several_who_ask_for_writers_at_once_only_the_first_waits(hanging: socket.socket, settings: Any) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{hanging.getsockname()[1]}/0"
    board, writers = Board(client()), admission.Writers()

    def ask() -> Exception:
        with pytest.raises((RedisError, doorbell.BrokerHangs)) as caught, doorbell.waiting():
            writers.known(board)
        return caught.value

    found = at_once(5, ask)
    assert sorted(isinstance(error, doorbell.BrokerHangs) for error in found) == [False, True, True, True, True]
    assert tries(hanging) == 1


def test_pages_open_beside_a_broker_that_hangs(hanging: socket.socket, alice: User) -> None:
    job = submit(alice)
    client = signed_in(alice)
    assert client.get("/").status_code == 200
    assert client.post(f"/jobs/{job.pk}/cancel").status_code == 302
    assert client.get(f"/api/v1/jobs/{job.pk}").json()["state"] == "cancelled"


def test_a_broker_that_is_gone_is_not_waited_for_and_asked_again_at_once(gone: None, alice: User) -> None:
    begun = time.monotonic()
    submit(alice)
    # It took six seconds before, because it was tried three times.
    assert time.monotonic() - begun < 5
    with doorbell.waiting():
        pass


def test_after_a_pause_it_is_asked_again(hanging: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "_PAUSE", 0.05)
    for _ in range(2):
        with pytest.raises(RedisError), doorbell.waiting():
            caches["shared"].add("x", 1)
        time.sleep(0.06)


def test_closing_leaves_no_connection_that_a_fork_would_share_and_the_next_ring_opens_one(alice: User) -> None:
    """`manage.py run` rings for the jobs of an earlier run, and then forks."""
    services.ring(submit(alice))
    assert app.control.ping(timeout=0.01) == []
    assert open_connections()
    doorbell.close()
    assert not open_connections()
    services.ring(submit(alice))
    assert open_connections()
    # Celery holds on to its pool.
    assert app.control.ping(timeout=0.01) == []


def open_connections() -> list[Any]:
    """Return the broker's connections that are open in any pool, whether in use or not."""
    return [
        connection
        for pool in pools.connections.values()
        for connection in [*pool._dirty, *pool._resource.queue]
        if getattr(connection, "connected", False)
    ]


def test_workers_wait_for_their_messages_without_end() -> None:
    assert "socket_timeout" not in app.conf.broker_transport_options
    doorbell.ring(RUN_NEXT, "default", queue="nobody-listens")
    with app.connection_for_read() as line:
        assert "socket_timeout" not in (line.transport_options or {})
        queue = line.SimpleQueue("nobody-listens")
        assert queue.get(timeout=60).payload[0] == ["default"]
        queue.clear()
        queue.close()
