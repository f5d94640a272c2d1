"""Errors of the machine that pass, such as a lost database or a full disk, told from mistakes of ours."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final

import kombu.exceptions
import redis.exceptions
from django.db import InterfaceError, OperationalError

from botfactory.outages.refusal import Refusal
from botfactory.words.translatable import mark


class Cause(StrEnum):
    """What didn't work."""

    DATABASE = "database"
    DISK = "disk"
    FILES = "files"
    MEMORY = "memory"
    BROKER = "broker"
    #: The source of an import did not answer. Its runner decides what that means.
    SOURCE = "source"


def _refusal(code: str, message: str, *, retry_after: int) -> Refusal:
    return Refusal(503, code, message, {"Retry-After": str(retry_after)})


#: What a request is told that one of them stops.
REFUSALS: Final[Mapping[Cause, Refusal]] = {
    Cause.DATABASE: _refusal(
        "database_unavailable",
        mark("The database doesn’t answer right now. Try again in a few seconds."),
        retry_after=10,
    ),
    Cause.BROKER: _refusal(
        "broker_unavailable",
        mark("The message broker doesn’t answer right now. Try again in a few seconds."),
        retry_after=10,
    ),
    Cause.DISK: _refusal(
        "disk_full",
        mark("The disk of this server is full. Ask your administrator to free some space, then try again."),
        retry_after=60,
    ),
    Cause.FILES: _refusal(
        "files_unavailable",
        mark(
            "A file on this server can’t be read or written right now. Try again in a few seconds. If it happens "
            "again, ask your administrator to look at the disk."
        ),
        retry_after=10,
    ),
    Cause.MEMORY: _refusal(
        "out_of_memory", mark("This server has run out of memory. Try again in a minute."), retry_after=60
    ),
}

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


def classify(error: BaseException) -> Cause | None:
    """Return what `error` was raised because of; None for a mistake in our code or in what we were given.

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
