"""What the second pass of CI leaves out can use neither the database nor the broker (tests/pure.py)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import threading

import pytest
import redis
import redis.asyncio
from django.conf import settings

from botfactory.accounts.models import User
from tests import pure
from tests.at_once import at_once


def test_this_one_is_left_out_and_reaches_neither(request: pytest.FixtureRequest, without_broker: list[str]) -> None:
    assert request.node.get_closest_marker("pure")
    with pytest.raises(RuntimeError, match="Database access not allowed"):
        User.objects.exists()
    with redis.Redis.from_url(settings.REDIS_URL) as server:
        with pytest.raises(AssertionError, match="uses the broker"):
            server.ping()
        with pytest.raises(AssertionError, match="uses the broker"):
            at_once(2, server.ping)

    async def ping() -> None:
        async with redis.asyncio.Redis.from_url(settings.REDIS_URL) as server:
            await server.ping()

    with pytest.raises(redis.ConnectionError, match="uses the broker"):
        asyncio.run(ping())
    assert len(without_broker) >= 4
    without_broker.clear()


def test_one_that_catches_the_error_fails_all_the_same() -> None:
    def who_does_without() -> None:
        with contextlib.suppress(AssertionError):
            redis.Redis.from_url(settings.REDIS_URL).ping()

    with pytest.raises(AssertionError, match="uses the broker"), pure.without_broker():
        who_does_without()


@pytest.mark.django_db
@pytest.mark.parametrize("is_async", [False, True])
def test_a_thread_that_ran_before_goes_on(is_async: bool) -> None:
    """Such as the server's of a browser test, which keeps its connections to the broker for the next one."""
    guarded, answers = threading.Event(), []

    async def ping() -> bool:
        async with redis.asyncio.Redis.from_url(settings.REDIS_URL) as server:
            return bool(await server.ping())

    def serve() -> None:
        guarded.wait(30)
        with redis.Redis.from_url(settings.REDIS_URL) as server:
            answers.append(asyncio.run(ping()) if is_async else server.ping())

    thread = threading.Thread(target=serve)
    thread.start()
    with pure.without_broker():
        guarded.set()
        thread.join()
    assert answers == [True]


@pytest.mark.parametrize("variable", ["DATABASE_URL", "REDIS_URL"])
def test_the_processes_that_it_starts_reach_neither(variable: str) -> None:
    code = {
        "DATABASE_URL": "import psycopg, os; psycopg.connect(os.environ['DATABASE_URL'])",
        "REDIS_URL": "import redis, os; redis.Redis.from_url(os.environ['REDIS_URL']).ping()",
    }[variable]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and "refused" in done.stderr
    assert os.environ[variable] == pure.NOWHERE[variable]


def test_only_tests_without_a_database_are_left_out(request: pytest.FixtureRequest) -> None:
    left_out = [item for item in request.session.items if item.get_closest_marker("pure")]
    assert left_out
    wrong = [
        item.nodeid
        for item in left_out
        if {"db", "transactional_db"} & set(getattr(item, "fixturenames", ())) or item.get_closest_marker("django_db")
    ]
    assert wrong == []
    assert all(item.nodeid.startswith(pure.PLACES) for item in left_out)


def test_nothing_that_starts_the_product_is_left_out() -> None:
    places = [settings.BASE_DIR / place for place in pure.PLACES]
    modules = [module for place in places for module in ([place] if place.is_file() else sorted(place.rglob("*.py")))]
    starts = re.compile(r"^from tests.product import .*\b(running|Product)\b", re.MULTILINE)
    assert len(modules) > 50
    assert [module for module in modules if starts.search(module.read_text())] == []


def test_the_second_pass_leaves_out_these_and_no_others() -> None:
    passes = (settings.BASE_DIR / ".ci" / "run").read_text()
    assert passes.count(" -m ") == 2 and passes.count('-m "not pure and not once"') == 1
    assert passes.index("make test") < passes.index('-m "not pure and not once"')
