"""Whose turn it is: people take turns for the slots of a queue, however many jobs each has."""

from __future__ import annotations

import heapq
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone

from botfactory.accounts import limits
from botfactory.accounts.models import User
from botfactory.jobs.models import Job, Turn
from botfactory.jobs.place import Place
from botfactory.jobs.states import CLAIMABLE, HELD, State

#: What a job waits for: its turn, the end of another job of its owner (a limit), or a time set by its source.
Reason = Literal["turn", "own_jobs", "time"]

#: The id of a job that doesn't exist yet.
NEW = uuid.UUID(int=0)
_NEVER = datetime.min.replace(tzinfo=UTC)
#: A free worker takes a ready job sooner than this, so a job that waits longer has no free worker.
TAKEN_WITHIN = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the turn of a waiting job depends on."""

    job: uuid.UUID
    owner: int
    priority: int
    is_interrupted: bool
    created_at: datetime
    available_at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """The jobs that wait in a queue, each list in the order of turns. Only the `ready` can run now.

    places: where each job is, blocked jobs last.
    """

    ready: list[uuid.UUID]
    held_back: list[uuid.UUID]
    later: list[uuid.UUID]
    places: dict[uuid.UUID, Place]

    def place_of(self, job: uuid.UUID) -> Place | None:
        """Return where the job is; None if it doesn't wait here."""
        return self.places.get(job)

    def reason_of(self, job: uuid.UUID) -> Reason:
        return "own_jobs" if job in self.held_back else "time" if job in self.later else "turn"


def in_turn(
    waiting: Iterable[Waiting], running: Mapping[int, int], served: Mapping[int, datetime]
) -> Iterator[uuid.UUID]:
    """Yield the jobs in the order of turns, by each person's running jobs and the time of their last turn.

    First comes what the administrator moved to the front, then what had begun when its worker stopped. Next comes the
    person with the fewest running jobs; in a tie, the one who was served longest ago, then the one who asked first. Of
    that person, the oldest job comes.
    """
    levels: dict[tuple[int, bool], list[Waiting]] = defaultdict(list)
    for one in waiting:
        levels[-one.priority, not one.is_interrupted].append(one)
    now_running = Counter(running)
    # A person who gets a turn during this count was served after everybody else.
    last: dict[int, tuple[int, datetime]] = {owner: (0, at) for owner, at in served.items()}
    taken = 0
    for level in sorted(levels):
        own: dict[int, list[Waiting]] = defaultdict(list)
        for one in sorted(levels[level], key=lambda one: (one.created_at, one.job), reverse=True):
            own[one.owner].append(one)

        def turn_of(
            owner: int, own: Mapping[int, list[Waiting]] = own
        ) -> tuple[int, tuple[int, datetime], datetime, int]:
            return now_running[owner], last.get(owner, (0, _NEVER)), own[owner][-1].created_at, owner

        heap = [turn_of(owner) for owner in own]
        heapq.heapify(heap)
        while heap:
            owner = heapq.heappop(heap)[-1]
            yield own[owner].pop().job
            taken += 1
            now_running[owner] += 1
            last[owner] = (taken, _NEVER)
            if own[owner]:
                heapq.heappush(heap, turn_of(owner))


def line_of(queue: str, newcomer: int | None = None) -> Line:
    """Return who waits in the queue now. The next free worker takes the first of the ready.

    With `newcomer`, count one more job that this person queues now, with the id NEW.
    """
    return _line(queue, _Now.of([queue], newcomer), newcomer)


def lines_of(queues: Collection[str]) -> dict[str, Line]:
    """Return who waits in each queue now. Needs two queries for any number of queues, and none without a queue."""
    if not queues:
        return {}
    now = _Now.of(queues)
    return {queue: _line(queue, now) for queue in queues}


@dataclass(frozen=True, slots=True)
class Ahead:
    """What runs, or would run, before a new job: the number of jobs, and of the other people whose jobs they are."""

    jobs: int
    people: int


def ahead_of_new(queue: str, person: int) -> Ahead:
    """Return what of the queue runs, or would run, before a job that the person queued now.

    Running jobs that would give way to it don't count.
    """
    now = _Now.of([queue], person)
    owners = [one.owner for one in now.held if one.queue == queue and not one.at_terminal and one.priority >= 0]
    of = {one.job: one.owner for one in now.waiting.get(queue, [])}
    for job in _line(queue, now, person).places:
        if job == NEW:
            break
        owners.append(of[job])
    return Ahead(len(owners), len(set(owners) - {person}))


@dataclass(frozen=True, slots=True)
class _Held:
    """A job that a worker, or a command at a terminal, holds."""

    owner: int
    queue: str
    priority: int
    at_terminal: bool


@dataclass(frozen=True, slots=True)
class _Now:
    """What the order of turns in some queues depends on.

    full: people with as many running jobs as their limit allows; served: queue -> person -> time of their last turn.
    """

    at: datetime
    waiting: dict[str, list[Waiting]]
    held: list[_Held]
    full: set[int]
    served: dict[str, dict[int, datetime]]

    @classmethod
    def of(cls, queues: Collection[str], newcomer: int | None = None) -> _Now:
        now = timezone.now()
        waiting: dict[str, list[Waiting]] = defaultdict(list)
        held: list[_Held] = []
        active = Job.objects.filter(Q(queue__in=queues, state__in=CLAIMABLE) | Q(state__in=HELD)).order_by()
        columns = ("pk", "owner_id", "queue", "priority", "state", "created_at", "available_at", "at_terminal")
        for pk, owner, queue, priority, state, created_at, available_at, at_terminal in active.values_list(*columns):
            if state in HELD:
                held.append(_Held(owner, queue, priority, at_terminal))
            else:
                is_interrupted = state == State.INTERRUPTED
                waiting[queue].append(Waiting(pk, owner, priority, is_interrupted, created_at, available_at))
        people = {one.owner for line in waiting.values() for one in line}
        if newcomer is not None and people:
            people.add(newcomer)  # alone, they are the first in any case
        rows = _people(people, queues) if people else []
        running = Counter(one.owner for one in held)
        most = {person: of.running_jobs for person, of in limits.limits_in(rows).items()}
        served: dict[str, dict[int, datetime]] = {}
        for number, queue in enumerate(queues):
            turns = {row.pk: getattr(row, f"served_{number}") for row in rows}
            served[queue] = {person: at for person, at in turns.items() if at is not None}
        return cls(
            now, waiting, held, {person for person in people if _is_full(most.get(person), running[person])}, served
        )


def _line(queue: str, now: _Now, newcomer: int | None = None) -> Line:
    waiting = list(now.waiting.get(queue, []))
    if newcomer is not None:
        waiting.append(Waiting(NEW, newcomer, 0, False, now.at, now.at))
    slots = Counter(one.owner for one in now.held if one.queue == queue and not one.at_terminal)
    ready = [one for one in waiting if one.available_at <= now.at and one.owner not in now.full]
    held_back = [one for one in waiting if one.available_at <= now.at and one.owner in now.full]
    later = sorted((one for one in waiting if one.available_at > now.at), key=lambda one: (one.available_at, one.job))
    in_order = list(in_turn(ready, slots, now.served[queue]))
    blocked = list(in_turn(held_back, slots, now.served[queue]))
    last = [one.job for one in later]
    owners = {one.job: one.owner for one in waiting}
    return Line(in_order, blocked, last, _places([*in_order, *blocked, *last], owners))


def _places(jobs: list[uuid.UUID], owners: Mapping[uuid.UUID, int]) -> dict[uuid.UUID, Place]:
    places: dict[uuid.UUID, Place] = {}
    ahead: set[int] = set()
    for position, job in enumerate(jobs, start=1):
        owner = owners[job]
        places[job] = Place(position, len(ahead) - (owner in ahead))
        ahead.add(owner)
    return places


def _people(people: set[int], queues: Collection[str]) -> list[User]:
    """Return the people with their limits and, in `served_0` and so on, the time of their last turn in each queue."""
    turns = {
        f"served_{number}": Subquery(Turn.objects.filter(owner=OuterRef("pk"), queue=queue).values("served_at")[:1])
        for number, queue in enumerate(queues)
    }
    return list(User.objects.filter(pk__in=people).select_related("limits").annotate(**turns))


def should_yield(job: Job) -> bool:
    """Return whether a running preemptible job gives its worker to one that goes before it, because none is free.

    As many give way as wait, first those that have run longest.
    """
    if job.priority >= 0 or job.at_terminal:
        return False
    now = timezone.now()
    waiting = Job.objects.filter(queue=job.queue, state__in=CLAIMABLE, priority__gt=job.priority)
    long_since = set(waiting.filter(available_at__lte=now - TAKEN_WITHIN).values_list("pk", flat=True))
    wanted = _could_run(long_since.intersection(line_of(job.queue).ready)) if long_since else 0
    if wanted <= 0:
        return False
    held = Job.objects.filter(state__in=HELD)
    preemptible = Job.objects.filter(queue=job.queue, priority__lt=0, at_terminal=False)
    # Their workers take the next job in a moment.
    back = preemptible.filter(state=State.QUEUED, attempt__gt=0, available_at__range=(now - TAKEN_WITHIN, now))
    freed = back.exclude(worker__in=held.values("worker")).count()
    longest = preemptible.filter(state__in=HELD).order_by("priority", "claimed_at", "pk").values_list("pk", flat=True)
    return job.pk in longest[: max(0, wanted - freed)]


def _could_run(jobs: Collection[uuid.UUID]) -> int:
    """Return how many of these waiting jobs could run at once, within the limits of their owners."""
    number = Counter(Job.objects.filter(pk__in=jobs).values_list("owner_id", flat=True))
    running = Counter(Job.objects.filter(owner__in=number, state__in=HELD).values_list("owner_id", flat=True))
    most = {owner: of.running_jobs for owner, of in limits.limits_of_all(list(number)).items()}
    return sum(
        waiting if (room := most[owner]) is None else min(waiting, max(0, room - running[owner]))
        for owner, waiting in number.items()
    )


def is_at_limit(person: int) -> bool:
    """Return whether the person has as many running jobs as their limit allows."""
    most = limits.limits_of_all([person])[person].running_jobs
    return most is not None and _is_full(most, Job.objects.filter(owner=person, state__in=HELD).count())


def take_turn(job: Job, at: datetime) -> None:
    """Note that the queue of the job has just served its owner."""
    Turn.objects.update_or_create(owner_id=job.owner_id, queue=job.queue, defaults={"served_at": at})


def _is_full(most: int | None, running: int) -> bool:
    return most is not None and running >= most
