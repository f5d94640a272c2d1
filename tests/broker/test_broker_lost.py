"""A worker whose broker dies."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Consumer, Exchange, Message, Queue
from redis.exceptions import ConnectionError

from botfactory.celery import app
from botfactory.env import celery_broker_url
from botfactory.ops import valkey
from tests.product import wait_for

pytestmark = pytest.mark.differs

logger = logging.getLogger(__name__)


@pytest.fixture
def broker_of_its_own(tmp_path: Path) -> Iterator[tuple[Connection, subprocess.Popen[bytes]]]:
    """A connection as workers have it, and the server that it leads to."""
    socket = tmp_path / "socket"
    server = subprocess.Popen(valkey.server_command(socket), stdout=subprocess.DEVNULL)
    wait_for("Valkey", socket.exists, pause=0.02)
    yield app.connection_for_read(celery_broker_url(f"unix://{socket}")), server
    server.kill()
    server.wait()


def test_a_worker_that_loses_the_broker_beside_a_running_task_goes_on(
    broker_of_its_own: tuple[Connection, subprocess.Popen[bytes]],
) -> None:
    connection, server = broker_of_its_own
    # As in Celery: tasks come over the default channel, and remote control has a channel that was opened later.
    tasks: Any = connection.default_channel
    control: Any = connection.channel()
    taken: list[Message] = []
    everybody = Queue("control", Exchange("control", "fanout"), auto_delete=True)
    Consumer(control, [everybody], callbacks=[print]).consume()
    queue = Queue("tasks", routing_key="tasks")
    Consumer(tasks, [queue], callbacks=[lambda _, message: taken.append(message)], accept=["json"]).consume()
    connection.Producer().publish({}, routing_key="tasks", serializer="json")
    wait_for("the task", lambda: _has_come(connection, taken), pause=0)
    # It waits for the next one, while the first runs.
    transport: Any = connection.transport
    transport.cycle.on_poll_start()
    server.kill()
    server.wait()
    # Remote control notices first.
    with pytest.raises(ConnectionError):
        control.handlers["LISTEN"]()
    # What Celery then does before it connects again, and when the task ends. Any other error ends the worker.
    with suppress(Exception):
        connection.collect()
    with suppress(*connection.connection_errors):
        connection.close()
    taken[0].ack_log_error(logger, connection.connection_errors)
    assert taken[0].acknowledged and not connection.connected


def test_a_worker_that_is_stopped_puts_its_message_back(
    broker_of_its_own: tuple[Connection, subprocess.Popen[bytes]],
) -> None:
    connection, _ = broker_of_its_own
    with connection.clone() as other:
        box = other.SimpleQueue("tasks")
        box.put({}, serializer="json")
        assert box.get(timeout=5).payload == {}
    with connection.clone() as other:
        assert other.SimpleQueue("tasks").get(timeout=5).payload == {}


def _has_come(connection: Connection, taken: list[Message]) -> bool:
    with suppress(TimeoutError):
        connection.drain_events(timeout=1)
    return bool(taken)
