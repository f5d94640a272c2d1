"""Tests that use neither the database nor the broker: the second pass of CI leaves them out.

That pass repeats tests on Postgres and Redis, so it can't tell anything new about these. Each of them runs where
nothing can reach either, and fails if it tries. So none of them is here by mistake.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
import redis.asyncio.connection
import redis.connection

#: Where pure tests are. A test there that has a database isn't pure.
PLACES: Final = (
    "tests/benchmarks/",
    "tests/contracts/",
    "tests/jobs/test_states.py",
    "tests/ml/",
    "tests/tweets/preparation/",
    "tests/tweets/sources/",
)
#: Fixtures without which pytest-django lets no test use the database.
_OF_DATABASES: Final = {"db", "transactional_db", "django_db_setup", "live_server"}
_NO_BROKER: Final = "A test in a place of tests/pure.py uses the broker."
#: What processes that such a test starts are told. Nothing listens there.
NOWHERE: Final = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing", "REDIS_URL": "redis://127.0.0.1:1/0"}


def is_pure(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    has_database = item.get_closest_marker("django_db") is not None or not fixtures.isdisjoint(_OF_DATABASES)
    return item.nodeid.startswith(PLACES) and not has_database


@contextmanager
def without_broker() -> Iterator[list[str]]:
    """Nothing that begins here can reach the broker. Who tries is in the list, which must be empty at the end.

    Threads that ran before, such as the writer's, go on.
    """
    tried: list[str] = []
    allowed = set(threading.enumerate()) - {threading.current_thread()}
    with pytest.MonkeyPatch.context() as patch:
        for name, address in NOWHERE.items():
            patch.setenv(name, address)
        send = redis.connection.AbstractConnection.send_packed_command
        send_later = redis.asyncio.connection.AbstractConnection.send_packed_command

        def require_allowed() -> None:
            if threading.current_thread() not in allowed:
                tried.append(threading.current_thread().name)
                raise AssertionError(_NO_BROKER)

        def guarded(*values: Any, **more: Any) -> None:
            require_allowed()
            send(*values, **more)

        async def guarded_later(*values: Any, **more: Any) -> None:
            require_allowed()
            await send_later(*values, **more)

        patch.setattr(redis.connection.AbstractConnection, "send_packed_command", guarded)
        patch.setattr(redis.asyncio.connection.AbstractConnection, "send_packed_command", guarded_later)
        yield tried
    # Whoever can do without the broker has caught the error.
    assert not tried, _NO_BROKER
