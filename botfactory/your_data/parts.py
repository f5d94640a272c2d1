"""The parts of a person's ZIP. Each app registers its own in AppConfig.ready, so nothing here knows posts or bots."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.your_data.unpacking import Archive


class CantMove(Exception):
    """One thing can't be exported or restored. `why` is a sentence for the person; the others go on."""

    def __init__(self, why: object) -> None:
        super().__init__(str(why))
        self.why = why


@dataclass(frozen=True, slots=True)
class Restored:
    """How many rows were restored, and how many weren't, because their bot isn't here or they are invalid."""

    restored: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Import:
    """What a part needs to restore: the ZIP, the job, and what was restored so far, by its ids in the ZIP."""

    job: Job
    archive: Archive
    work_dir: Path
    fenced: Callable[[], AbstractContextManager[None]]
    # Raises if the job is to stop. Call it often.
    check: Callable[[], None]
    # Returns the new id of a thing of the ZIP.
    numbers: Callable[[uuid.UUID], uuid.UUID]
    restored: dict[uuid.UUID, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Things:
    """Things with a folder each, `folder/id/`, which has a description and a file with the content."""

    folder: str
    description: str
    content: str
    # The limit that counts them; also their name in the result of the import.
    limit: str
    # Returns the person's rows, with `pk` and `created_at`.
    rows: Callable[[User], Any]
    describe: Callable[[Any], dict[str, Any]]
    # Returns the content in pieces. Raises CantMove.
    pieces: Callable[[Any], Iterable[bytes]]
    # Restores the thing from its description and the name of its content in the ZIP. Raises CantMove.
    restore: Callable[[Mapping[str, Any], str, Import], Any]
    # Returns the restored thing as the result of the job shows it.
    shown: Callable[[Any], dict[str, Any]]
    # Whether the content can't be made smaller.
    is_packed: bool = False
    # Whether a ZIP without the content is refused as a whole; else only the thing is left out.
    needs_content: bool = False
    # Called when an export begins.
    exported: Callable[[User], object] | None = None
    # Called with new ids when an import has ended without success.
    give_up: Callable[[Iterable[uuid.UUID]], None] | None = None
    # Returns the folders that killed attempts to restore these new ids have left.
    left_by: Callable[[Job, list[uuid.UUID]], list[Path]] | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one kind as lines of JSON in `name`.jsonl. Without `restore`, an import leaves them alone."""

    name: str
    lines: Callable[[User], Iterator[bytes]]
    restore: Callable[[Iterable[Mapping[str, Any]], Import], Restored] | None = None

    @property
    def file(self) -> str:
        return f"{self.name}.jsonl"


#: In the order in which the ZIP has them and an import restores them: a bot comes after its posts.
THINGS: Final[list[Things]] = []
ROWS: Final[list[Rows]] = []


def register(*, things: Things | None = None, rows: Iterable[Rows] = ()) -> None:
    """Add an app's parts."""
    if things is not None:
        THINGS.append(things)
    ROWS.extend(rows)


def restorable() -> Iterator[tuple[Rows, Callable[[Iterable[Mapping[str, Any]], Import], Restored]]]:
    """Yield the rows that an import restores, with what restores them."""
    for rows in ROWS:
        if rows.restore is not None:
            yield rows, rows.restore
