"""Refuse a write-ahead log (`-wal`) that isn't of the database that it lies beside.

After a crash, the newest rows are in the log, and SQLite writes them into the database when anything opens it. If
somebody has restored a backup over the database meanwhile, SQLite does the same to the backup, and destroys it. Neither
file names the other, and no id of ours in a third file helps: a restore may bring that along, or leave the old one.
But both files hold copies of the database's first page. It contains

- the change counter. SQLite adds 1 to it, or leaves it as it is, whenever it writes the page to the log. So the counter
  of the database is that of a page in the log, or at most 1 below the first one. A file made by SQLite's backup
  interface or `VACUUM INTO` starts at 1 again.
- the number of this database (`user_version`). `count_start` draws it at random, and increases the counter, so that a
  backup has a lower one than each log that was begun after the next start.
- the number of pages. It's in each transaction of the log, too, and without the first page in the log it can't have
  changed.

That leaves a few logs, such as a log without the first page beside a copy with as many pages. So after a crash,
`manage.py run` also checks that the log doesn't damage the database (`require_intact`); other processes don't take that
time. Nothing here depends on names, times or inodes: files that were copied together belong together wherever they are.

The formats: https://sqlite.org/fileformat2.html, sections 1.3 and 4.
"""

from __future__ import annotations

import os
import secrets
import shlex
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final
from urllib.parse import quote

from django.db import OperationalError

_MAGIC: Final = b"SQLite format 3\0"
#: Of a log whose checksums add up little-endian words; with 1 more, big-endian ones.
_LOG_MAGIC: Final = 0x377F0682
_LOG_HEADER: Final = struct.Struct(">8I")
#: Page, pages of the database after a commit (else 0), two salts, two checksums.
_FRAME_HEADER: Final = struct.Struct(">6I")
#: The largest number that fits into `user_version`.
_LARGEST: Final = 2**31 - 1


class ForeignLog(OperationalError):
    """The log beside the database is another database's. Nothing was changed."""

    def __init__(self, database: Path, why: str) -> None:
        log = log_of(database)
        aside = f"mv {shlex.quote(str(log))} {shlex.quote(f'{log}.old')}"
        self.what = f"{log} isn't the log of {database.name} beside it: {why}. Nothing was changed"
        self.advice = (
            f"if you restored the database from a backup, set the old log aside: {aside}. Otherwise put the database "
            "back that was here with this log, because its newest rows are in the log"
        )
        super().__init__(f"{self.what}. {self.advice[0].upper()}{self.advice[1:]}.")


@dataclass(frozen=True, slots=True)
class _First:
    """What the first page says of its database."""

    counter: int
    pages: int
    number: int

    @classmethod
    def read(cls, page: bytes) -> _First | None:
        if len(page) < 100 or not page.startswith(_MAGIC):
            return None
        return cls(*struct.unpack_from(">II", page, 24), *struct.unpack_from(">i", page, 60))


@dataclass(frozen=True, slots=True)
class _Log:
    """What the transactions in a log say: the first pages, and the database's pages after the first commit."""

    firsts: tuple[_First, ...]
    pages: int


_looking: Final = Lock()
#: Whether there are transactions in the log of a database.
_known: Final[dict[Path, bool]] = {}


def require_own(name: str) -> bool:
    """Return whether the database with this file name has transactions in its log. Raises ForeignLog.

    Looks once for a process, before its first connection: closing a file ends all of the process's locks on it, also
    SQLite's.
    """
    database = _database_of(name)
    with _looking:
        if database not in _known:
            _known[database] = _look(database)
        return _known[database]


def require_intact(name: str) -> None:
    """Raise ForeignLog if the database is damaged with its log and intact without it.

    Takes seconds for a large database, but only after a crash.
    """
    if not require_own(name):
        return
    database = _database_of(name)
    if (damage := _damage(database, "mode=ro")) and not _damage(database, "immutable=1"):  # that's without the log
        raise ForeignLog(database, f"with it, the database would be damaged ({damage})")


def count_start(name: str) -> None:
    """Give the database with this file name a number if it has none, and increase its change counter."""
    # A connection that goes on writing wouldn't increase the counter again, so this one is closed.
    with closing(sqlite3.connect(name, isolation_level=None, timeout=30)) as opened:
        number = opened.execute("PRAGMA user_version").fetchone()[0] or 1 + secrets.randbelow(_LARGEST)
        opened.execute(f"PRAGMA user_version = {number}")


def _look(database: Path) -> bool:
    try:
        found, log = _read(database)
        # Another process may have written between the two reads: then they differ from the next ones.
        while (why := _unlike(found, log)) and (again := _read(database)) != (found, log):
            found, log = again
    except OSError:
        return False  # SQLite says what it can't read
    if why:
        raise ForeignLog(database, why)
    return log is not None


def _unlike(found: _First | None, log: _Log | None) -> str:
    """Return why the log isn't this database's; "" if it may be."""
    if log is None:
        return ""
    if found is None:
        return "there is no database"
    if not log.firsts:
        return "" if log.pages == found.pages else f"it's for {log.pages:,} pages, and the database has {found.pages:,}"
    if len({each.number for each in (found, *log.firsts) if each.number}) > 1:
        return "it has the number of another one"
    counters = {each.counter for each in log.firsts} | {log.firsts[0].counter - 1}
    return "" if found.counter in counters else "the database is older or newer"


def _read(database: Path) -> tuple[_First | None, _Log | None]:
    log = _read_log(log_of(database))
    if log is None:
        return None, None
    try:
        with database.open("rb") as file:
            return _First.read(file.read(100)), log
    except FileNotFoundError:
        return None, log


def _read_log(path: Path) -> _Log | None:
    """Return what the log says; None if SQLite would take nothing from it."""
    try:
        with path.open("rb", buffering=0) as file:
            header = file.read(_LOG_HEADER.size)
            if len(header) < _LOG_HEADER.size:
                return None
            magic, _, size, _, *salts, one, two = _LOG_HEADER.unpack(header)
            order = ">" if magic & 1 else "<"
            if magic & ~1 != _LOG_MAGIC or _checksum(order, header[:24], (0, 0)) != (one, two):
                return None
            firsts, pages, before = [], 0, (one, two)
            for number, commits, at, said in _frames(file.fileno(), size, salts):
                if number == 1 or (commits and not pages):
                    page = os.pread(file.fileno(), size, at)
                    head = os.pread(file.fileno(), 8, at - _FRAME_HEADER.size)
                    # A power cut can leave half a page.
                    if _checksum(order, head + page, before) == said:
                        firsts += [found] if number == 1 and (found := _First.read(page)) else []
                        pages = pages or commits
                before = said
    except FileNotFoundError:
        return None
    return _Log(tuple(firsts), pages) if pages else None


def _frames(file: int, size: int, salts: list[int]) -> Iterator[tuple[int, int, int, tuple[int, int]]]:
    """Yield each frame's page number, its pages after a commit, where its page begins, and its checksums.

    Behind them, frames of an earlier round have other salts.
    """
    at = _LOG_HEADER.size
    while len(head := os.pread(file, _FRAME_HEADER.size, at)) == _FRAME_HEADER.size:
        number, commits, *found, one, two = _FRAME_HEADER.unpack(head)
        if found != salts:
            return
        at += _FRAME_HEADER.size
        yield number, commits, at, (one, two)
        at += size


def _checksum(order: str, data: bytes, before: tuple[int, int]) -> tuple[int, int]:
    one, two = before
    for first, second in struct.iter_unpack(f"{order}II", data[: len(data) // 8 * 8]):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two


def _damage(database: Path, how: str) -> str:
    """Return what is damaged in the database, opened like that; "" if nothing is. Neither it nor its log changes."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?{how}", uri=True)) as opened:
            said = str(opened.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        is_damage = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        return f"{error}" if is_damage else ""
    return "" if said == "ok" else " ".join(said.split())


def _database_of(name: str) -> Path:
    """Return the file with all links resolved, as SQLite does: the log is beside that."""
    return Path(os.path.realpath(name))


def log_of(database: Path) -> Path:
    return database.with_name(f"{database.name}-wal")
