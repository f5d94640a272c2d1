"""The kinds of jobs. Each app registers its own in AppConfig.ready, so jobs knows neither posts nor models."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.db import connections
from django.utils.translation import gettext_lazy as _

from botfactory.jobs.errors import JobFailed
from botfactory.jobs.handle import JobHandle
from botfactory.jobs.models import KEEP_WORK_HOURS, Job, JobEvent
from botfactory.rest.schemas import Output
from botfactory.words.translatable import mark

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

    Words = str | StrPromise


TRY_AGAIN: Final = _("Try again")


@dataclass(frozen=True, slots=True)
class Best:
    """How the API describes the best checkpoint of a job."""

    schema: type[Output]
    # The kinds of events that `of` reads.
    events: frozenset[str]
    # Returns the best checkpoint in the job's events, given in order; None before the first.
    of: Callable[[Iterable[JobEvent]], Output | None]


@dataclass(frozen=True, slots=True)
class Description:
    """How the API describes jobs of a kind, beyond what all jobs have in common."""

    # The fields that the kind's progress adds, read from `Job.progress` by their names or validation aliases.
    progress: type[Output] | None = None
    best: Best | None = None
    # What the API document shows of such a job: fields of jobs.api.JobOut.
    example: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a person begins a job of a kind: the name of the page's URL, and the words on the button."""

    url: str
    button: Words


@dataclass(frozen=True, slots=True)
class KeepsTheBest:
    """A running job of the kind can end early with the best that it has, so its owner is asked before a cancel."""

    # "Cancel this training?"
    question: Words
    # What a cancel throws away and what remains for a retry. `%(hours)s` is how long.
    loses: Words
    go_on: Words
    cancel: Words


@dataclass(frozen=True, slots=True)
class JobKind:
    """All that jobs, their pages and the API know of a kind. `run` does the work and returns the job's result."""

    name: str
    run: Callable[[JobHandle], dict[str, Any]]
    queue: str = "default"
    # What people call such a job, on pages that list several kinds; without one, they read the name.
    label: Words = ""
    # The page on which the owner watches it, and what it needs beside the job itself.
    template: str = "jobs/job.html"
    context: Callable[[Job], Mapping[str, Any]] | None = None
    # What the button for a new job says and opens, on the page of all jobs.
    begins: Beginning | None = None
    # What `Job.subject_id` is the id of, such as "corpus".
    subject: str = ""
    # Called before the job is tried again, in the same transaction and with its row locked: raises NotPossible with a
    # sentence if something is in the way, such as another job that changes what this one reads.
    may_start: Callable[[Job], None] | None = None
    # Called in the transaction in which the job ends without success, to bring the rows it was about in line.
    ended: Callable[[Job], None] | None = None
    # The folders, outside the job's own, that killed attempts have left. They are deleted when the job ends without
    # success and when it's deleted.
    left_by: Callable[[Job], Iterable[Path]] | None = None
    # What a job of this kind will use, limit -> amount (accounts/limits.py): checked before it is queued.
    needs: Callable[[Job], Mapping[str, int]] | None = None
    # The limit whose minutes a day it uses up while it runs.
    meter: str = ""
    # What the API tells of what was asked for, with the values that were chosen for `auto`.
    details: Callable[[Job], Mapping[str, Any]] | None = None
    # What else the API tells of it.
    describe: Description = field(default_factory=Description)
    # Long and in no hurry: it waits behind everybody else, and stops for whoever waits (JobHandle.should_yield).
    preemptible: bool = False
    # Whether its owner's limits on jobs count it, and it takes one of their turns. A report card belongs to a training
    # that did.
    counts: bool = True
    # Whether "Stop and keep the best" is possible, and what the owner is asked before a cancel.
    keeps_the_best: KeepsTheBest | None = None
    # The words of the button that tries it again, and what that goes on from, as a sentence.
    again: Words = TRY_AGAIN
    kept: Words = ""
    # What the mail to its owner says when it has succeeded, for a kind whose meter is that of trainings.
    done: Words = ""
    # What its owner can change so that a job of this kind takes less time and memory, as a sentence.
    to_take_less: Words = ""
    # Loads the code that a job of this kind needs. Called once, in the process that forks the ones that run jobs, so
    # they don't each load it. It must not start threads: a fork doesn't copy them.
    load: Callable[[], None] | None = None
    # What a process does while it waits for a job of this kind, so that the job need not: some seconds at most.
    prepare: Callable[[], None] | None = None

    @property
    def cancel_loses(self) -> str:
        """Return what the owner reads before a cancel; "" if it throws nothing away."""
        return str(self.keeps_the_best.loses) % {"hours": KEEP_WORK_HOURS} if self.keeps_the_best else ""


logger = logging.getLogger(__name__)

_kinds: dict[str, JobKind] = {}


def register(*kinds: JobKind) -> None:
    """Add kinds to those that there are. Called in AppConfig.ready."""
    _kinds.update({kind.name: kind for kind in kinds})


def registered(name: str) -> JobKind:
    """Return the kind of a new job. Raises KeyError."""
    return _kinds[name]


def kind_of(name: str) -> JobKind:
    """Return the kind of a job. One whose kind isn't registered, such as that of a removed app, fails when it runs."""
    return _kinds.get(name) or JobKind(name=name, run=_of_no_kind)


def _of_no_kind(handle: JobHandle) -> dict[str, Any]:
    raise JobFailed("unknown_kind", mark("Bot Factory no longer has this kind of job. You can delete it."))


def label_of(name: str) -> str:
    """Return what people call jobs of this kind; the name if no kind here has it, such as one of a removed app."""
    kind = _kinds.get(name)
    return str(kind.label) if kind is not None and kind.label else name


def names() -> list[str]:
    return sorted(_kinds)


def among(names: Iterable[str]) -> list[JobKind]:
    """Return the kinds with one of these names, in the order of registration."""
    chosen = set(names)
    return [kind for kind in _kinds.values() if kind.name in chosen]


def beginnings() -> list[Beginning]:
    """Return what a person can begin, in the order of registration."""
    return [kind.begins for kind in _kinds.values() if kind.begins is not None]


def kinds_metered_by(limit: str) -> set[str]:
    """Return the names of the kinds that use up minutes of this limit."""
    return {kind.name for kind in _kinds.values() if kind.meter == limit}


def descriptions() -> Iterator[Description]:
    """Return how each kind describes itself, in the order of their registration."""
    return (kind.describe for kind in _kinds.values())


def queues() -> list[str]:
    """Return the queues that workers have to listen to, so that each kind of job is done."""
    return sorted({kind.queue for kind in _kinds.values()})


def load(listened_to: Collection[str]) -> None:
    """Load the code that jobs of these queues need. What fails here fails again in the job, which reports it."""
    for kind in _of_queues(listened_to):
        if kind.load is not None:
            try:
                kind.load()
            except Exception:
                logger.exception("%s: the code for jobs of this kind can't be loaded", kind.name)


def prepare(listened_to: Collection[str]) -> None:
    """Prepare what jobs of these queues need. What fails here, the job does for itself."""
    for kind in _of_queues(listened_to):
        if kind.prepare is None:
            continue
        try:
            kind.prepare()
        except Exception:
            logger.exception("%s: nothing is prepared for jobs of this kind", kind.name)
        finally:
            connections.close_all()


def _of_queues(listened_to: Collection[str]) -> Iterator[JobKind]:
    return (kind for kind in _kinds.values() if kind.queue in listened_to)
