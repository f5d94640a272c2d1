"""A kind of file that we made up: a source of posts as a module, for tests that register it with one line.

The first line of a logbook names its account, each other line is a post.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tweets.sources.base import Page, Post, Source, SourceSettings
from tweets.sources.kinds import Account, FileKind, HowTo

BEGINNING = b"LOGBOOK OF "


class LogbookSource:
    def __init__(self, path: Path) -> None:
        self._path = path

    def pages(self, cursor: str | None = None) -> Iterator[Page]:
        lines = self._path.read_text(encoding="utf-8").splitlines()[1:]
        yield Page(tuple(Post(str(key), line, None) for key, line in enumerate(lines)), None)


def _open(path: Path, settings: SourceSettings) -> Source:
    return LogbookSource(path)


def _owner_of(path: Path) -> Account:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    return Account("bluesky", first.removeprefix(BEGINNING.decode()))


KIND = FileKind(
    name="logbook",
    label="logbook",
    offer="a logbook",
    origin="From the logbook %(file)s",
    at_terminal="a logbook (.log)",
    open=_open,
    hint="A .log file from your ship.",
    endings=(".log",),
    recognizes=lambda name, head: head.startswith(BEGINNING),
    owner_of=_owner_of,
    how_to=HowTo("How do I get my logbook?", ("Ask the captain.",)),
)
