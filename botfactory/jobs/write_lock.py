"""SQLite lets one process write at a time. This ends a worker that hangs while it writes, so that others can.

Postgres ends the transaction of such a worker by itself (jobs/handle.py).
"""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import connection

from botfactory.jobs import lock_holder, processes
from botfactory.jobs.models import Job
from botfactory.jobs.states import HELD

logger = logging.getLogger(__name__)

#: Writing usually takes less than this. Then it's somebody else's turn.
PATIENCE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that can write while nobody else can. `commits` changes with each commit of anybody."""

    pid: int
    commits: int


class Watch:
    """What has been seen of the lock so far."""

    def __init__(self) -> None:
        self._holder: Holder | None = None
        self._since = 0.0

    def is_blocked(self) -> bool:
        """Return whether nobody else can write now. End a worker that has been in the way for JOB_STALE_SECONDS."""
        if is_free():
            self._holder = None
            return False
        holder = holder_now()
        if holder is None or holder != self._holder:
            self._holder, self._since = holder, time.monotonic()
        elif (seconds := time.monotonic() - self._since) >= settings.JOB_STALE_SECONDS:
            _end(holder, seconds)
        return True


def is_free() -> bool:
    """Return whether a process can write within PATIENCE_SECONDS. With Postgres, one always can."""
    if connection.vendor != "sqlite":
        return True
    name = connection.settings_dict["NAME"]
    with closing(sqlite3.connect(name, timeout=PATIENCE_SECONDS, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            # The primary result code.
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                return False
            raise
        other.execute("ROLLBACK")
    return True


def holder_now() -> Holder | None:
    """Return who holds the lock of the SQLite file; None if nobody does or it can't be found out."""
    command = [sys.executable, "-I", "-S", lock_holder.__file__, f"{connection.settings_dict['NAME']}-shm"]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode != 0:
        logger.warning("nobody can write to the database, and who is in the way can't be found: %s", found.stderr)
    numbers = [int(number) for number in found.stdout.split()]
    return Holder(*numbers) if numbers else None


def _end(holder: Holder, seconds: float) -> None:
    # The name includes the start of the process, so it's the one that claimed the job.
    job = Job.objects.filter(state__in=HELD, worker=processes.name_of(holder.pid)).first()
    if job is None:
        message = (
            "process %s has kept all others from writing to the database for %.0f s; it has no job, so it isn't ended"
        )
        logger.error(message, holder.pid, seconds)
        return
    message = "job %s: its worker %s has kept all others from writing to the database for %.0f s and is ended"
    logger.error(message, job.pk, job.worker, seconds)
    os.kill(holder.pid, signal.SIGKILL)
