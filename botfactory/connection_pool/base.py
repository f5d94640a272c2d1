"""Django's Postgres backend with a pool of its own (Django imports it under this name).

Django's has one, too, but can't be told what to do when a connection is found dead. After a restart of Postgres, all
that were open are. Then it hands out one after the other, with growing pauses, until the request's patience ends.
"""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from typing import Any, Final

from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from psycopg import Connection, Error
from psycopg_pool import ConnectionPool, PoolTimeout

from botfactory import connection_pool as limits

Pool = ConnectionPool[Connection[Any]]

_making: Final = Lock()
_pools: Final[dict[str, Pool]] = {}


class DatabaseWrapper(base.DatabaseWrapper):
    """One thread's connection, taken from the pool of its database."""

    @property
    def pool(self) -> Pool | None:
        """The pool of this database; None while there is no database, as when tests make theirs."""
        if self.alias == NO_DB_ALIAS:
            return None
        with _making:
            if self.alias not in _pools:
                # Django begins and ends transactions itself.
                settings = self.get_connection_params() | {"autocommit": True}
                _pools[self.alias] = _new_pool(settings, self._configure_connection)  # type: ignore[attr-defined]  # Django's
            return _pools[self.alias]

    def close_pool(self) -> None:
        """Close the pool, if there is one. The next connection opens another."""
        with _making:
            pool = _pools.pop(self.alias, None)
        if pool is not None:
            pool.close()


def _new_pool(settings: dict[str, Any], configure: Any) -> Pool:
    def check(connection: Connection[Any]) -> None:
        """Raise an error if the connection is dead, and replace all others that are, too."""
        try:
            Pool.check_connection(connection)
        except Error:
            pool.check()
            raise

    pool: Pool = ConnectionPool(
        kwargs=settings,
        open=False,
        configure=configure,
        check=check,
        reconnect_failed=_try_again,
        min_size=1,
        max_size=limits.MAX_CONNECTIONS,
        timeout=limits.PATIENCE,
        reconnect_timeout=limits.RETRIES,
        max_idle=limits.MAX_IDLE,
    )
    return pool


def _try_again(pool: Pool) -> None:
    """Try to open a connection for the threads that wait for one. The pool calls this when it has given up.

    By itself it would try next when another thread asks, and those that wait would wait in vain.
    """
    if pool.get_stats().get("requests_waiting"):
        # Who asks makes the pool try. This one needs no connection, so it leaves the queue at once.
        with suppress(PoolTimeout):
            pool.putconn(pool.getconn(timeout=0.001))
