"""Calls to the broker while somebody waits: a short patience, and for a while none with a broker that hangs.

The database is the truth, and the broker only rings (docs/architecture.md): a call that fails delays something, and
loses nothing. Workers that wait for messages are not concerned: they have connections of their own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: For one call, in seconds: settings.BROKER_OPTIONS gives as much to connecting and to each answer.
PATIENCE: Final = 2.5
#: A call that has failed after so long has not been refused: nobody answers.
_HANGS: Final = 1.0
#: For so long nobody else waits in vain.
_PAUSE: Final = 10.0


class BrokerHangs(ConnectionError):
    """Somebody waited in vain a moment ago, so this call wasn't tried."""

    def __init__(self) -> None:
        super().__init__("it did not answer a moment ago")


class _Silence:
    until = 0.0


@contextmanager
def waiting() -> Iterator[None]:
    """Around each call to the broker while somebody waits. BrokerHangs where another has just waited in vain."""
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
    """The broker may answer again. For tests."""
    _Silence.until = 0.0


def ring(task: str, *args: str, queue: str) -> None:
    """Put a message for the task of this name into the queue; an error of the broker where that doesn't work at once.

    By name: services that ring know nothing of the tasks, which import them.
    """
    from kombu.pools import producers

    from botfactory.celery import app, publishing

    connection = app.connection_for_write(transport_options=publishing())
    with waiting(), producers[connection].acquire(block=True, timeout=PATIENCE) as producer:
        app.send_task(task, args=args, queue=queue, retry=False, producer=producer)
