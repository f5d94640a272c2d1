"""Connections to Postgres that a process keeps open for all its threads."""

from __future__ import annotations

from typing import Any, Final

from django.db import connections

#: Postgres itself allows 100 by default, for all processes together.
MAX_CONNECTIONS: Final = 50
#: Seconds that a thread waits for one if all are taken, or if Postgres doesn't answer, before it fails.
PATIENCE: Final = 5.0
#: Seconds for which the pool tries again to open a connection, with growing pauses. After that, the next request tries
#: at once. So a short time is best: requests soon notice that Postgres is back.
RETRIES: Final = 1.0
#: Seconds until an unused connection is closed.
MAX_IDLE: Final = 300.0


def begin() -> None:
    """Let this process take its connections to Postgres from a pool. With SQLite, which needs none, do nothing.

    Opening one takes more than half as long as a small request does otherwise. Call it before the process opens its
    first one, and only in a process that doesn't fork: the pool has threads, which a fork would lack.
    """
    pool: dict[str, Any] = {
        "min_size": 1,
        "max_size": MAX_CONNECTIONS,
        "timeout": PATIENCE,
        "reconnect_timeout": RETRIES,
        "max_idle": MAX_IDLE,
    }
    for values in connections.settings.values():
        if values["ENGINE"] == "django.db.backends.postgresql":
            values["OPTIONS"] = {**values.get("OPTIONS", {}), "pool": pool}
