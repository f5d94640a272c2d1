"""Interrupt a job after an error of the machine that passes, such as a lost database."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext_lazy as _

from botfactory.jobs.events import NO_PROGRESS
from botfactory.jobs.models import Job
from botfactory.outages.errors import Cause

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

    Words = str | StrPromise


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

#: After a full disk, a job resumes when this many bytes are free.
ROOM: Final = 64 * 1024 * 1024


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
        elif kind not in NO_PROGRESS or (kind == "state" and payload.get("state") == "queued"):
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
