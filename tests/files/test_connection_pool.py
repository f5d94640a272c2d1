"""With Postgres, the threads of a process share their connections."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Event, Thread
from typing import cast

import psycopg
import pytest
from django.db import OperationalError, connection, connections

from benchmarks import connections as connections_benchmark
from botfactory import connection_pool
from botfactory.connection_pool.base import DatabaseWrapper
from tests.outages import database_gone
from tests.product import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.differs]


@pytest.fixture
def postgres() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no pool")


def session(*, keep: bool = False) -> int:
    """Return the session of this thread's connection. Close that as a request does at its end, unless `keep`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        found = int(cursor.fetchone()[0])
    if not keep:
        connections.close_all()
    return found


def of_threads(count: int) -> set[int]:
    """Return the sessions of threads that run one after the other."""
    found: list[int] = []
    for _ in range(count):
        thread = Thread(target=lambda: found.append(session()))
        thread.start()
        thread.join()
    assert len(found) == count
    return set(found)


@pytest.mark.parametrize(("module", "has_one"), [("botfactory.asgi", True), ("botfactory.celery", False)])
def test_the_web_process_has_a_pool_and_those_that_fork_have_none(module: str, has_one: bool) -> None:
    ask = f"import django, {module}; django.setup(); from django.db import connection as one; print(one.settings_dict)"
    # Nothing connects to it.
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "botfactory.settings", "DATABASE_URL": "postgres://a@b/c"}
    told = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True)
    assert ("'ENGINE': 'botfactory.connection_pool'" in told.stdout) is has_one


def test_threads_take_connections_that_others_have_left(small_pool: int) -> None:
    assert len(of_threads(20)) <= small_pool


def test_a_connection_that_the_server_has_ended_is_replaced(postgres: None) -> None:
    # Its own session is another.
    with connection.cursor() as cursor:
        before = of_threads(3)
        cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", [list(before)])
    assert not of_threads(5) & before


def test_when_the_server_has_ended_all_nobody_waits_for_one_after_the_other(postgres: None) -> None:
    # Its own session is another.
    with connection.cursor() as cursor:
        with all_taken(12) as before:
            pass
        cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", [list(before)])
    begun = time.monotonic()
    assert not of_threads(1) & before
    # Twelve dead ones with a pause after each would take longer than the patience of five seconds.
    assert time.monotonic() - begun < connection_pool.PATIENCE / 2


@contextmanager
def all_taken(size: int) -> Iterator[set[int]]:
    """Hold all connections of the pool; yield their sessions."""
    go_on, taken = Event(), Barrier(size + 1, timeout=30)
    sessions: set[int] = set()

    def hold() -> None:
        sessions.add(session(keep=True))
        taken.wait()
        assert go_on.wait(30)
        connections.close_all()

    with ThreadPoolExecutor(size) as threads:
        held = [threads.submit(hold) for _ in range(size)]
        try:
            taken.wait()
            yield sessions
        finally:
            go_on.set()
        for one in held:
            one.result(30)


def test_when_all_are_taken_a_thread_waits_for_one(small_pool: int) -> None:
    with ThreadPoolExecutor(1) as late:
        with all_taken(small_pool) as sessions:
            waiting = late.submit(session)
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
        assert waiting.result(30) in sessions and len(sessions) == small_pool


def test_who_waits_too_long_is_told(small_pool: int) -> None:
    told = pytest.raises(OperationalError, match="couldn't get a connection")
    with ThreadPoolExecutor(1) as late, all_taken(small_pool), told:
        late.submit(session).result(30)


def test_it_soon_notices_that_postgres_is_back(small_pool: int) -> None:
    session()
    with database_gone():
        # Two requests in vain. With the pauses of the pool's own default, it would next try after seven seconds.
        for _ in range(2):
            with pytest.raises(OperationalError):
                session()
            connection.close()
    assert session()


def test_a_request_that_waits_is_answered_when_postgres_is_back(
    small_pool: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection_pool, "PATIENCE", 60.0)
    with ThreadPoolExecutor(1) as request:
        with database_gone():
            waiting = request.submit(session)
            # The pool gives up twice, and nobody else asks it to try again.
            wait_for("the pool has given up twice", lambda: caplog.text.count("reconnection attempt") > 1)
        assert waiting.result(30)


def test_its_benchmark_has_the_ratio_and_leaves_no_database(postgres: None, capsys: pytest.CaptureFixture[str]) -> None:
    url = os.environ["DATABASE_URL"]
    connections_benchmark.main(["--database", url, "--streams", "1", "--requests", "2", "--rounds", "1", "--json"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["streams"]["1"]["ratio"][0] > 0
    with psycopg.connect(url) as server:
        left = server.execute("SELECT datname FROM pg_database WHERE datname LIKE 'botfactory_bench_%'").fetchall()
    assert left == []


@pytest.fixture
def small_pool(postgres: None) -> Iterator[int]:
    """A pool of two connections in place of the usual one."""
    size, ours = 2, cast(DatabaseWrapper, connection)

    def begin_anew() -> None:
        ours.close()
        ours.close_pool()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection_pool, "MAX_CONNECTIONS", size)
        patch.setattr(connection_pool, "PATIENCE", 2.0)
        begin_anew()
        yield size
    begin_anew()
