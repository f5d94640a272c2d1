"""Errors of the machine that pass: a lost database, a full disk. They interrupt a job and do not end it."""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import kombu.exceptions
import redis.exceptions
from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext_lazy as _

from botfactory.jobs.models import Job

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

    Words = str | StrPromise


class Cause(StrEnum):
    """Why a job was put back into its queue, as its `waiting` events say it."""

    DATABASE = "database"
    DISK = "disk"
    FILES = "files"
    MEMORY = "memory"
    BROKER = "broker"
    #: The source of an import did not answer. Its runner decides what that means.
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Reaction:
    """What to do about a cause: put the job back, `most` times in a row at most; None for no end."""

    sentence: Words
    most: int | None
    code: str = ""
    # With %(times)s and %(to_take_less)s.
    given_up: Words = ""


REACTIONS: Final[Mapping[Cause, Reaction]] = {
    Cause.DATABASE: Reaction(
        _("The database was unavailable for a moment."),
        10,
        "database_lost",
        _(
            "The database was unavailable %(times)s times in a row. Your posts are still here. Ask your administrator "
            "to look at the database, then try again."
        ),
    ),
    Cause.DISK: Reaction(_("The disk is full. Free some space. This job then continues by itself."), None),
    Cause.FILES: Reaction(
        _("A file couldn’t be read or written for a moment."),
        10,
        "files_lost",
        _(
            "Files couldn’t be read or written %(times)s times in a row. Ask your administrator to look at the disk, "
            "then try again."
        ),
    ),
    Cause.MEMORY: Reaction(
        _("The machine ran out of memory."),
        3,
        "out_of_memory",
        _(
            "The machine ran out of memory %(times)s times in a row. %(to_take_less)s Your administrator can run it "
            "on a machine with more memory."
        ),
    ),
    Cause.BROKER: Reaction(
        _("The message broker was unavailable for a moment."),
        10,
        "broker_lost",
        _(
            "The message broker was unavailable %(times)s times in a row. Ask your administrator to look at Redis or "
            "Valkey, then try again."
        ),
    ),
}

_FIRST_PAUSE: Final = timedelta(seconds=5)
_LONGEST_PAUSE: Final = {Cause.DISK: timedelta(minutes=1)}
_LONGEST_PAUSE_ELSE: Final = timedelta(minutes=5)

#: A job that has met a full disk goes on once so many bytes can be had.
ROOM: Final = 64 * 1024 * 1024

_OF_ERRNO: Final = {
    errno.ENOSPC: Cause.DISK,
    errno.EDQUOT: Cause.DISK,
    errno.EIO: Cause.FILES,
    errno.ESTALE: Cause.FILES,
    errno.EMFILE: Cause.FILES,
    errno.ENFILE: Cause.FILES,
    errno.ENOMEM: Cause.MEMORY,
}
#: Primary result codes; the others, such as SQLITE_ERROR for a table that is not there, are mistakes of ours.
_OF_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: Cause.DATABASE,
    sqlite3.SQLITE_LOCKED: Cause.DATABASE,
    sqlite3.SQLITE_IOERR: Cause.DATABASE,
    sqlite3.SQLITE_CANTOPEN: Cause.DATABASE,
    sqlite3.SQLITE_PROTOCOL: Cause.DATABASE,
    sqlite3.SQLITE_NOMEM: Cause.MEMORY,
    sqlite3.SQLITE_FULL: Cause.DISK,
}
_OF_POSTGRES: Final = {"53100": Cause.DISK, "53200": Cause.MEMORY}
_OF_BROKER: Final = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, kombu.exceptions.OperationalError)

#: Events that are recorded without the job getting on.
_NO_PROGRESS: Final = frozenset({"state", "waiting", "note", "stop"})


def classify(error: BaseException) -> Cause | None:
    """Return which interruption `error` is, or was raised because of; None for an error of the job itself.

    A full disk goes before anything else that it brought about.
    """
    causes = [cause for each in _chain(error) if (cause := _cause_of(each)) is not None]
    return Cause.DISK if Cause.DISK in causes else causes[0] if causes else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, then what it was raised from or during, as a traceback shows them."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)


def _cause_of(error: BaseException) -> Cause | None:
    if isinstance(error, sqlite3.Error):
        return _OF_SQLITE.get(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF)
    if isinstance(error, OperationalError | InterfaceError):
        # SQLite's own error comes next in the chain and knows more.
        state = getattr(error.__cause__, "sqlstate", None)
        of_sqlite = isinstance(error.__cause__, sqlite3.Error)
        return None if of_sqlite else _OF_POSTGRES.get(state or "", Cause.DATABASE)
    if isinstance(error, _OF_BROKER):
        return Cause.BROKER
    if isinstance(error, OSError):
        return _OF_ERRNO.get(error.errno or 0)
    # TensorFlow's own, which only the process that trains may import.
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return Cause.MEMORY
    return None


def pause(cause: Cause, number: int) -> timedelta:
    """Return how long a job waits after the `number`th interruption in a row, 1 for the first."""
    longest = _LONGEST_PAUSE.get(cause, _LONGEST_PAUSE_ELSE)
    return min(longest, _FIRST_PAUSE * (1 << min(number - 1, 10)))


def in_a_row(newest_first: Iterable[tuple[str, Mapping[str, Any]]], cause: Cause) -> int:
    """Return how often a job was put back for `cause` since it last got on, by the (kind, payload) of its events.

    Pauses for other causes neither count nor end the row. Being queued ends it: somebody pressed Try again.
    """
    count = 0
    for kind, payload in newest_first:
        if kind == "waiting":
            count += payload.get("cause") == cause
        elif kind not in _NO_PROGRESS or (kind == "state" and payload.get("state") == "queued"):
            break
    return count


def setbacks(job: Job, cause: Cause) -> int:
    """Return how often the job was put back for `cause` since it last got on."""
    # More in a row without anything else in between are too many for everything that counts them.
    return in_a_row(job.events.order_by("-sequence").values_list("kind", "payload")[:1000], cause)


def require_room(folders: Iterable[Path]) -> None:
    """Return if ROOM bytes can be written to each folder; OSError with ENOSPC or EDQUOT if not.

    The room is really taken for a moment, since a quota shows in no other way.
    """
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, ROOM)
            else:
                file.write(bytes(ROOM))
