"""The kinds of jobs. Each app registers its own in AppConfig.ready, so that jobs knows neither posts nor models."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

from botfactory.jobs.handle import JobHandle
from botfactory.jobs.models import Job, JobEvent
from botfactory.rest.schemas import Output


@dataclass(frozen=True, slots=True)
class Best:
    """How the API describes the best checkpoint of a job."""

    schema: type[Output]
    # The kinds of events that `of` reads.
    events: frozenset[str]
    # Returns the best checkpoint that the job's events tell of, given in their order; None before the first.
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
class JobKind:
    """`run` does the work and returns the job's result; `template` is the page on which the owner watches it."""

    name: str
    queue: str
    template: str
    run: Callable[[JobHandle], dict[str, Any]]
    # Called before the job is tried again, in the same transaction and with its row locked: raises NotPossible with a
    # sentence where something is in the way, such as another job that changes what this one reads.
    may_start: Callable[[Job], None] | None = None
    # Called in the transaction in which the job ends without success, to bring the rows it was about in line.
    ended: Callable[[Job], None] | None = None
    # What a job of this kind comes to, limit -> amount (accounts/limits.py): asked for before it is queued.
    needs: Callable[[Job], Mapping[str, int]] | None = None
    # What its page needs beside the job itself.
    context: Callable[[Job], Mapping[str, Any]] | None = None
    # What the API tells of what was asked for, with the values that were chosen for `auto`.
    details: Callable[[Job], Mapping[str, Any]] | None = None
    # What else the API tells of it.
    describe: Description = field(default_factory=Description)
    # The limit whose minutes a day it uses up while it runs.
    meter: str = ""
    # Long and in no hurry: it waits behind everybody else, and stops for whoever waits (JobHandle.should_yield).
    preemptible: bool = False
    # A running one can end early with the best that it has: whoever cancels it instead is asked first.
    keeps_the_best: bool = False
    # The page that asks them where no script does.
    cancel_template: str = ""
    # What its owner can change so that a job of this kind takes less time and memory, as a sentence.
    to_take_less: str = ""
    # What a retry of this kind goes on from, as a sentence.
    kept: str = ""
    # What a process does while it waits for a job of this kind, so that the job need not: no more than some seconds.
    prepare: Callable[[], None] | None = None


logger = logging.getLogger(__name__)

_kinds: dict[str, JobKind] = {}


def register(kind: JobKind) -> None:
    _kinds[kind.name] = kind


def kind_of(name: str) -> JobKind:
    return _kinds[name]


def descriptions() -> Iterator[Description]:
    """Return how each kind describes itself, in the order of their registration."""
    return (kind.describe for kind in _kinds.values())


def queues() -> list[str]:
    """The queues that workers have to listen to, so that each kind of job is done."""
    return sorted({kind.queue for kind in _kinds.values()})


def prepare(listened_to: Collection[str]) -> None:
    """What jobs of these queues need is at hand, as far as it can be; a job does for itself what went wrong here."""
    for kind in _kinds.values():
        if kind.prepare is None or kind.queue not in listened_to:
            continue
        try:
            kind.prepare()
        except Exception:
            logger.exception("%s: nothing is prepared for jobs of this kind", kind.name)
        finally:
            connections.close_all()
