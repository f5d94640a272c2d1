"""Call the broker while a person waits: with a short timeout, and not at all for a while after the broker hung.

The database is the truth, and the broker only a doorbell (docs/architecture.md), so a failed call delays something but
loses nothing. Workers have their own connections and aren't affected.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: Seconds for one call. settings.BROKER_OPTIONS allows about the same for connecting and for each answer.
PATIENCE: Final = 2.5
#: Seconds. A call that fails later than this wasn't refused: the broker hangs.
_HANGS: Final = 1.0
#: Seconds for which no further call is tried.
_PAUSE: Final = 10.0


class BrokerHangs(ConnectionError):
    """The broker hung a moment ago, so this call wasn't tried."""

    def __init__(self) -> None:
        super().__init__("it didn't answer a moment ago")


class _Silence:
    until = 0.0


@contextmanager
def waiting() -> Iterator[None]:
    """Wrap a call to the broker while a person waits. Raises BrokerHangs if the broker has just hung."""
    begun = time.monotonic()
    if begun < _Silence.until:
        raise BrokerHangs
    try:
        yield
    except Exception:
        if time.monotonic() - begun >= _HANGS:
            _Silence.until = time.monotonic() + _PAUSE
        raise


def forget() -> None:
    """Forget that the broker hung. For tests."""
    _Silence.until = 0.0


def close() -> None:
    """Close the connections for ringing, which two processes must not share. The next ring opens its own."""
    from kombu import pools

    for pool in [*pools.producers.values(), *pools.connections.values()]:
        # Not pools.reset(), which closes the pool that Celery holds on to for good.
        pool.resize(pool.limit, reset=True)


def ring(task: str, *args: str, queue: str) -> None:
    """Put a message for the task into the queue, or raise the broker's error if that doesn't work at once.

    The task is given by name, because tasks import the services that ring.
    """
    from kombu.pools import producers

    from botfactory.celery import app, publishing

    connection = app.connection_for_write(transport_options=publishing())
    with waiting(), producers[connection].acquire(block=True, timeout=PATIENCE) as producer:
        app.send_task(task, args=args, queue=queue, retry=False, producer=producer)
