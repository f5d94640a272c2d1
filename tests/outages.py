"""Makes the database of the tests go away for a while."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from asgiref.sync import SyncToAsync
from django.db import connection, connections


@contextmanager
def database_gone() -> Iterator[None]:
    """Make the database unwritable: Postgres ends all connections and accepts none, SQLite is locked."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        with sqlite3.connect(name, isolation_level=None, check_same_thread=False) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.execute("ROLLBACK")
        return
    values = connection.get_connection_params()
    address = {key: values[key] for key in ("host", "port", "user", "password") if values.get(key)}
    with psycopg.connect(**address, dbname="postgres", autocommit=True) as server:
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        try:
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            yield
        finally:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
    # The thread of asynchronous tests would keep its dead connection for the next one.
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
