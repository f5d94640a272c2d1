"""Django's SQLite backend, which first looks at the log beside the file (Django imports it under this name)."""

from __future__ import annotations

import sqlite3
from typing import Any

from django.db.backends.sqlite3 import base

from botfactory.sqlite_file.log import require_own


class DatabaseWrapper(base.DatabaseWrapper):
    """One thread's connection. Every process and command opens the file here."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        require_own(str(conn_params["database"]))
        made: sqlite3.Connection = super().get_new_connection(conn_params)
        return made
