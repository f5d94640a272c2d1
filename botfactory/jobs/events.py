"""Events: rows first, messages second. A failed publish is logged and loses nothing: every page reads the rows."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterable
from typing import Any, Final, Literal, TypedDict

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from botfactory.broker import doorbell
from botfactory.jobs import turns
from botfactory.jobs.errors import FROM_OUTSIDE
from botfactory.jobs.models import Job, JobEvent
from botfactory.jobs.states import CLAIMABLE

logger = logging.getLogger(__name__)
_silence = threading.Event()

#: Events that are recorded without the job getting on; some come again with each attempt. All others are progress,
#: which resets the counts of losses and pauses.
NO_PROGRESS: Final = frozenset({"state", "waiting", "note", "stop", "resumed", "before", "openings"})

#: So many waiting pages learn their new place at each step of the queue. The others learn it with the next ping.
TOLD_OF_THEIR_PLACE = 50


class EventJson(TypedDict):
    sequence: int
    kind: str
    payload: dict[str, Any]
    at: str


class JobJson(TypedDict):
    """A job as its owner's page sees it; dates are ISO 8601 in UTC."""

    id: str
    kind: str
    title: str
    state: str
    # The place, 1 is next, the number of other people with jobs ahead, and what the job waits for. All are None if it
    # doesn't wait.
    queue_position: int | None
    people_ahead: int | None
    waits_for: turns.Reason | None
    progress: dict[str, Any]
    result: dict[str, Any]
    error: dict[str, str] | None
    stop_requested: bool
    attempt: int
    last_sequence: int
    created_at: str
    available_at: str
    started_at: str | None
    finished_at: str | None
    # Until when a failed or cancelled job keeps its work for a retry.
    kept_until: str | None


class Message(TypedDict):
    """A message over the socket. `events` follow what the page has; a `ping` says that the connection is alive."""

    type: Literal["snapshot", "update", "ping"]
    job: JobJson
    events: list[EventJson]


def group_of(job: Job) -> str:
    return f"job.{job.pk}"


def queue_position(job: Job) -> int | None:
    """Return the position of `job` in its queue, 1 for the next; None if it doesn't wait."""
    place = turns.line_of(job.queue).place_of(job.pk) if job.state in CLAIMABLE else None
    return place.position if place else None


def placed(jobs: Iterable[Job]) -> list[Job]:
    """Return the jobs, each with its `place` in its queue."""
    chosen = list(jobs)
    lines = turns.lines_of({job.queue for job in chosen if job.state in CLAIMABLE})
    places = {number: place for line in lines.values() for number, place in line.places.items()}
    for job in chosen:
        job.place = places.get(job.pk)
    return chosen


def job_json(job: Job, line: turns.Line | None = None) -> JobJson:
    """Return the job as pages see it. `line` is its queue's, if the caller has it already."""
    if line is None and job.state in CLAIMABLE:
        line = turns.line_of(job.queue)
    place = line.place_of(job.pk) if line is not None else None

    def iso(value: Any) -> str | None:
        return value.isoformat() if value else None

    return JobJson(
        id=str(job.pk),
        kind=job.kind,
        title=job.shown_title,
        state=job.state,
        queue_position=place.position if place else None,
        people_ahead=place.people_ahead if place else None,
        waits_for=line.reason_of(job.pk) if line is not None and place is not None else None,
        progress=job.shown_progress,
        result=job.result,
        error={"code": job.error_code, "message": job.shown_error} if job.error_code else None,
        stop_requested=job.stop_requested,
        attempt=job.attempt,
        last_sequence=job.last_sequence,
        created_at=job.created_at.isoformat(),
        available_at=job.available_at.isoformat(),
        started_at=iso(job.started_at),
        finished_at=iso(job.finished_at),
        kept_until=iso(job.kept_until),
    )


def snapshot(job: Job, *, after: int = 0) -> Message:
    """Return the job as it is and every event with a sequence above `after`, in order."""
    # The events are read first: one that arrives between the two reads is then announced by `last_sequence`.
    events = [event.as_json() for event in job.events.filter(sequence__gt=after).order_by("sequence")]
    job.refresh_from_db()
    return Message(type="snapshot", job=job_json(job), events=events)  # type: ignore[typeddict-item]


def record(job: Job, kind: str, payload: dict[str, Any] | None = None) -> JobEvent:
    """Store an event with the next sequence number, and publish it once that is committed.

    Unless its kind is one of NO_PROGRESS, earlier losses of the job's worker no longer count.
    """
    anew = {} if kind in NO_PROGRESS else {"interruptions": 0}
    with transaction.atomic():
        # The update locks the row until the commit, so that sequences become visible in their order.
        Job.objects.filter(pk=job.pk).update(last_sequence=F("last_sequence") + 1, **anew)
        job.refresh_from_db()
        event = JobEvent.objects.create(
            job=job, sequence=job.last_sequence, kind=kind, payload=payload or {}, created_at=timezone.now()
        )
        transaction.on_commit(lambda: publish(job, [event.as_json()]))
    return event


def publish(job: Job, events: list[dict[str, Any]] | None = None) -> None:
    """Send the news to the pages that watch `job`, if the channel layer can be reached."""
    _tell([(job, Message(type="update", job=job_json(job), events=events or []))])  # type: ignore[typeddict-item]


def announce_queue(queue: str) -> None:
    """Tell those who wait in `queue` their new place."""
    line = turns.line_of(queue)
    first = list(line.places)[:TOLD_OF_THEIR_PLACE]
    waiting = Job.objects.filter(pk__in=first, state__in=CLAIMABLE) if first else []
    _tell([(job, Message(type="update", job=job_json(job, line), events=[])) for job in waiting])


def _tell(news: list[tuple[Job, Message]]) -> None:
    """Send each job's pages their message, over one connection to the channel layer."""
    if not news:
        return
    try:
        with doorbell.waiting():
            async_to_sync(_send)([(group_of(job), json.dumps(message)) for job, message in news])
        _silence.clear()
    except FROM_OUTSIDE:
        raise
    except Exception as error:
        # Once is enough: a command that runs beside no server would say it with every page.
        level = logging.DEBUG if _silence.is_set() else logging.WARNING
        jobs = ", ".join(str(job.pk) for job, _ in news)
        logger.log(level, "job %s: publishing failed (%s); pages catch up from the database", jobs, error)
        _silence.set()


async def _send(texts: list[tuple[str, str]]) -> None:
    layer = get_channel_layer()
    # Those who wait for each other's turn with the layer's one connection wait no longer than for the broker.
    async with asyncio.timeout(doorbell.PATIENCE):
        for group, text in texts:
            await layer.group_send(group, {"type": "job.message", "text": text})
