"""Connections to Postgres that a process keeps open for all its threads."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from django.db import connections

#: Postgres itself allows 100 by default, for all processes together.
MAX_CONNECTIONS: Final = 50
#: Seconds that a thread waits for one if all are taken, or if Postgres doesn't answer, before it fails.
PATIENCE: Final = 5.0
#: Seconds for which the pool tries again to open a connection, with growing pauses. If threads then still wait for
#: one, it begins anew, with short pauses.
RETRIES: Final = 1.0
#: Seconds until an unused connection is closed.
MAX_IDLE: Final = 300.0


def begin() -> None:
    """Let this process take its connections to Postgres from a pool. With SQLite, which needs none, do nothing.

    Opening one takes more than half as long as a small request does otherwise. Call it before the process opens its
    first one, and only in a process that doesn't fork: the pool has threads, which a fork would lack.
    """
    for name, values in connections.settings.items():
        if values["ENGINE"] == "django.db.backends.postgresql":
            values["ENGINE"] = __name__
            # This thread may have an object for its connection already; the next one is of the new kind.
            with suppress(AttributeError):
                del connections[name]
