"""`/jobs`: list, watch, cancel, stop, retry and delete jobs. Each app has the operation that submits its own jobs."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Query, Router, Status
from pydantic import Field, create_model

from botfactory.accounts.tokens import bearer_of
from botfactory.jobs import services, stream, turns
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.kinds import descriptions, kind_of, names
from botfactory.jobs.models import Job, JobEvent
from botfactory.jobs.states import CLAIMABLE, HELD, State
from botfactory.jobs.watching import Watcher, lines
from botfactory.rest.access import person
from botfactory.rest.errors import ApiError, not_found, register_errors
from botfactory.rest.paging import MAX, PageDict, PageQuery, page_of
from botfactory.rest.schemas import SERVER_SENT, Input, Output, Page, examples, one_of
from botfactory.web.numbers import LARGEST, whole_number

router = Router(tags=["jobs"])
register_errors({NotPossible: 409})


class Progress(Output):
    """The progress of a job. A phase leaves what it doesn't know null; some kinds have more fields."""

    phase: str | None = None
    percent: float | None = Field(None, description="The progress of the phase, 0 to 100.")
    seconds_left: float | None = None


if TYPE_CHECKING:
    JobProgress = Progress
    BestCheckpoint = Output
else:
    # Apps are ready before URLs are read, so each kind of job has described itself by now.
    _DESCRIBED = list(descriptions())
    JobProgress = create_model(
        "JobProgress",
        __base__=(Progress, *dict.fromkeys(found.progress for found in _DESCRIBED if found.progress)),
        __doc__=Progress.__doc__,
        __module__=__name__,
    )
    BestCheckpoint = Union[tuple(found.best.schema for found in _DESCRIBED if found.best) or (Output,)]  # noqa: UP007


class JobError(Output):
    code: str
    message: str


#: Example: a waiting job of any kind.
_JOB: Final[dict[str, Any]] = {
    "id": "0d8c1a40-3f6e-4d39-a3c1-d1d2a0c4b0a1",
    "kind": "",
    "title": "",
    "state": "queued",
    "corpus": None,
    "details": {},
    "created_at": "2026-11-25T12:00:00.000Z",
    "available_at": "2026-11-25T12:00:00.000Z",
    "started_at": None,
    "finished_at": None,
    "kept_until": None,
    "estimated_finish": None,
    "queue_position": 1,
    "people_ahead": 0,
    "waits_for": "turn",
    "progress": None,
    "best_checkpoint": None,
    "result": None,
    "error": None,
    "stop_requested": False,
    "attempt": 0,
    "last_sequence": 1,
}


def queued(**told: Any) -> dict[str, Any]:
    """Return the example of a waiting job, for the apps that queue some."""
    return _JOB | told


class JobOut(Output):
    """A piece of long work."""

    id: uuid.UUID
    kind: str = Field(description=f"What it does: {', '.join(names())}.")
    title: str
    state: State
    corpus: uuid.UUID | None = Field(description="The corpus that it works on.")
    details: dict[str, Any] = Field(description="The request, with the values that were chosen for `auto`.")
    created_at: datetime
    available_at: datetime = Field(description="It doesn't run before this time. A source may have asked us to wait.")
    started_at: datetime | None
    finished_at: datetime | None
    kept_until: datetime | None = Field(
        description="For a failed or cancelled job: until then, a retry continues from what it has kept."
    )
    estimated_finish: datetime | None = Field(description="When a running job will probably end, if it knows.")
    queue_position: int | None = Field(description="For a waiting job; 1 is next.")
    people_ahead: int | None = Field(
        description="For a waiting job: the number of other people with waiting jobs ahead of it."
    )
    waits_for: turns.Reason | None = Field(
        description="What a waiting job waits for: its turn, the end of another of your jobs (a limit), or a time "
        "(available_at)."
    )
    progress: JobProgress | None
    best_checkpoint: BestCheckpoint | None
    result: dict[str, Any] | None = Field(description="What a job that succeeded has made.")
    error: JobError | None
    stop_requested: bool
    attempt: int = Field(description="How often a worker has claimed it.")
    last_sequence: int = Field(description="The sequence number of its newest event.")

    model_config = examples(*(_JOB | dict(kind.example) for kind in descriptions() if kind.example))


class EventOut(Output):
    """Something that happened in a job. `sequence` counts from 1 without gaps."""

    sequence: int
    kind: str
    payload: dict[str, Any]
    created_at: datetime

    model_config = examples(
        {"sequence": 1, "kind": "state", "payload": {"state": "queued"}, "created_at": "2026-11-25T12:00:00.000Z"}
    )


class JobFilters(PageQuery):
    state: State | None = Field(None, description="Only jobs in this state.")
    kind: Annotated[str, *one_of(names)] | None = Field(None, description="Only jobs of this kind.")


class EventsQuery(Input):
    after: int | None = Field(
        None, ge=0, le=LARGEST, description="The sequence number of the last event that you have."
    )
    limit: int = Field(
        MAX, ge=1, le=MAX, description="The largest number of events; a stream has no maximum and ends with the job."
    )
    stream: Literal["0", "1"] = Field(
        "0", description="1: server-sent events until the job has ended. A Last-Event-ID takes precedence over `after`."
    )


def told(jobs: list[Job]) -> list[JobOut]:
    """Return the jobs as the API shows them."""
    lines = turns.lines_of({job.queue for job in jobs if job.state in CLAIMABLE})
    best = _best(jobs)
    return [_told(job, lines.get(job.queue), best.get(job.pk)) for job in jobs]


def _best(jobs: list[Job]) -> dict[uuid.UUID, Output | None]:
    """Return the best checkpoint of each job whose kind describes some, by one query."""
    describe = {job.pk: best for job in jobs if (best := kind_of(job.kind).describe.best) is not None}
    kinds = frozenset[str]().union(*(best.events for best in describe.values()))
    rows = JobEvent.objects.filter(job__in=describe, kind__in=kinds).order_by("job", "sequence") if describe else ()
    return {job_id: describe[job_id].of(events) for job_id, events in groupby(rows, key=lambda event: event.job_id)}


def told_one(job: Job) -> JobOut:
    """Return one job as the API shows it, for example after a POST that queued it."""
    return told([job])[0]


def _told(job: Job, line: turns.Line | None, best: Output | None) -> JobOut:
    kind = kind_of(job.kind)
    place = line.place_of(job.pk) if line is not None and job.state in CLAIMABLE else None
    left = job.progress.get("seconds_left")
    ends = timezone.now() + timedelta(seconds=left) if job.state in HELD and left is not None else None
    return JobOut(
        id=job.pk,
        kind=job.kind,
        title=job.shown_title,
        state=State(job.state),
        corpus=job.subject_id if kind.subject == "corpus" else None,
        details=dict(kind.details(job)) if kind.details is not None else {},
        created_at=job.created_at,
        available_at=job.available_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        kept_until=job.kept_until,
        estimated_finish=ends,
        queue_position=place.position if place else None,
        people_ahead=place.people_ahead if place else None,
        waits_for=line.reason_of(job.pk) if line is not None and place is not None else None,
        progress=_progress(job.shown_progress) if job.progress else None,
        best_checkpoint=best,
        result=job.result or None,
        error=JobError(code=job.error_code, message=job.shown_error) if job.error_code else None,
        stop_requested=job.stop_requested,
        attempt=job.attempt,
        last_sequence=job.last_sequence,
    )


def _progress(progress: dict[str, Any]) -> JobProgress:
    fraction = progress.get("fraction")
    return JobProgress.model_validate(progress | {"percent": None if fraction is None else round(100 * fraction, 1)})


@router.get("", response=Page[JobOut], summary="List your jobs")
def list_jobs(request: HttpRequest, query: Query[JobFilters]) -> PageDict:
    """Your jobs, newest first, optionally of one state or kind."""
    own = services.jobs_for_user(person(request))
    rows = own if query.state is None else own.filter(state=query.state)
    rows = rows if query.kind is None else rows.filter(kind=query.kind)
    return page_of(rows, query, told, among=own)


@router.get("/{uuid:job_id}", response=JobOut, summary="Get a job")
def get_job(request: HttpRequest, job_id: uuid.UUID) -> JobOut:
    """The job as it is now: its place in the queue, its progress and its result."""
    return told_one(job_or_404(request, job_id))


_STREAM: Final = {
    "responses": {
        200: {
            "content": {
                "text/event-stream": {
                    "schema": SERVER_SENT,
                    "example": 'id: 1\nevent: state\ndata: {"sequence": 1, "kind": "state", "payload": {"state": '
                    '"queued"}, "created_at": "2026-11-25T12:00:00.000Z"}\n\n',
                }
            }
        },
        204: {"description": "The job has ended, and the Last-Event-ID was its last event."},
    }
}


@router.get("/{uuid:job_id}/events", response=Page[EventOut], summary="List the events of a job", openapi_extra=_STREAM)
def job_events(request: HttpRequest, job_id: uuid.UUID, query: Query[EventsQuery]) -> PageDict | HttpResponse | Any:
    """Its events in order, from a sequence number on. With `stream=1` also new ones as they happen."""
    job = job_or_404(request, job_id)
    if query.stream == "1":
        return _stream(request, job, query.after or 0)
    rows = job.events.filter(sequence__gt=query.after or 0).order_by("sequence")
    found = list(rows[: query.limit + 1])
    return PageDict(data=[told_event(event) for event in found[: query.limit]], has_more=len(found) > query.limit)


@router.post("/{uuid:job_id}/cancel", response=JobOut, summary="Cancel a job")
def cancel_job(request: HttpRequest, job_id: uuid.UUID) -> JobOut:
    """Cancel a job. Its state is `cancelling` until its worker has stopped. 409 if it has ended."""
    return _act(request, job_id, services.cancel)


@router.post("/{uuid:job_id}/stop", response=JobOut, summary="Stop a job and keep the best")
def stop_job(request: HttpRequest, job_id: uuid.UUID) -> JobOut:
    """The running job ends as succeeded and keeps the best result so far.

    409 if it isn't running, or if its kind has nothing to keep.
    """
    return _act(request, job_id, services.stop)


@router.post("/{uuid:job_id}/retry", response=JobOut, summary="Try a job again")
def retry_job(request: HttpRequest, job_id: uuid.UUID) -> JobOut:
    """A failed or cancelled job is queued again and continues from what it has kept.

    409 for any other job, at a limit, or while something is in the way, such as a job that changes what this one reads.
    """
    return _act(request, job_id, services.retry)


@router.delete("/{uuid:job_id}", response={204: None}, summary="Delete a job", openapi_extra={"responses": {409: {}}})
def delete_job(request: HttpRequest, job_id: uuid.UUID) -> Status[None]:
    """Delete a job that has ended, with its events and what it has kept for a retry. What it made stays.

    409 if it hasn't ended: cancel it first.
    """
    services.delete_ended(job_or_404(request, job_id))
    return Status(204, None)


def _act(request: HttpRequest, job_id: uuid.UUID, act: Callable[[Job], Job]) -> JobOut:
    job = job_or_404(request, job_id)
    # If its owner deletes it meanwhile, the answer is 404.
    with suppress(Job.DoesNotExist):
        act(job)
    return told_one(job_or_404(request, job_id))


def job_or_404(request: HttpRequest, job_id: uuid.UUID) -> Job:
    try:
        return services.job_for_user(person(request), job_id)
    except Job.DoesNotExist:
        raise not_found("job") from None


def _stream(request: HttpRequest, job: Job, after: int) -> HttpResponse | StreamingHttpResponse:
    last = request.headers.get("Last-Event-ID", "")
    after = whole_number(last, after)
    if last and job.is_ended and after >= job.last_sequence:
        # A browser that has seen the end doesn't ask again.
        return HttpResponse(status=204)
    if lines.is_full(job.owner_id):
        raise ApiError(
            429,
            "too_many_streams",
            _("You have too many live connections open. Close one, or ask for the events without stream=1."),
            headers={"Retry-After": "60"},
        )
    bearer = bearer_of(request.headers.get("Authorization", ""))
    session = request.session.session_key if bearer is None else None
    return StreamingHttpResponse(
        stream.follow(job.pk, job.owner_id, Watcher(bearer, session), after, _event_data, _job_data),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def told_event(event: JobEvent) -> EventOut:
    return EventOut(sequence=event.sequence, kind=event.kind, payload=event.shown_payload, created_at=event.created_at)


def _event_data(event: JobEvent) -> str:
    return told_event(event).to_json()


def _job_data(job: Job) -> str:
    return told_one(job).to_json()
