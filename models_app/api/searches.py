"""`/searches`: searches for the best settings of a bot, their trials, and bots made of them."""

from __future__ import annotations

import uuid
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, Literal

from django.http import HttpRequest
from ninja import Query, Router, Status
from pydantic import Field

from botfactory.jobs.api import JobOut, told_one
from botfactory.rest.access import person
from botfactory.rest.errors import bad_value, missing_is_404
from botfactory.rest.paging import PageDict, PageQuery, page_of
from botfactory.rest.schemas import Input, Output, Page, Text, examples
from botfactory.translation import translated
from models_app import trainings
from models_app.api.parts import BASE, CORPUS, JOB, MOMENT, about, corpus_to_learn, start_of
from models_app.models import Search, Tier, Trial
from models_app.search import services as searches
from models_app.search.how import DEFAULT_TRIALS, MAX_AT_ONCE, MAX_TRIALS, How
from models_app.search.outlook import outlook_of, with_trials
from models_app.search.space import BadSpace

router = Router(tags=["searches"])

#: The fields of a body that say how its search goes about.
_HOW: Final = {field.name for field in fields(How)}

_SEARCH: Final = "7d4c1c1a-0b52-4a6e-9a55-2f7a3e0c9d84"
_SPACE: Final[dict[str, Any]] = {
    "learning_rate": {"low": 0.0005, "high": 0.008, "log": True},
    "epochs": {"low": 1, "high": 4},
    "batch_size": {"choices": [16, 32]},
}
_TRIAL: Final[dict[str, Any]] = {
    "number": 0,
    "state": "complete",
    "parameters": {"learning_rate": 0.0021, "epochs": 2, "batch_size": 16},
    "bits_per_character": 2.12,
    "points": {"1": 2.2, "2": 2.14},
    "seconds": 41.2,
    "weights": 7100000,
    "error": None,
    "job": JOB,
    "started_at": MOMENT,
    "finished_at": MOMENT,
}


class SearchIn(Input):
    """A search: many trainings on the same posts, with different settings."""

    corpus: uuid.UUID = Field(description="The corpus to learn.")
    model: uuid.UUID | None = Field(
        None, description="The model that each trial starts from; by default the base model of the tier."
    )
    tier: Tier | None = Field(None, description="The kind of bot; by default fluent if it's offered.")
    name: Text = Field("", max_length=searches.LONGEST_NAME, description="By default the name of the corpus.")
    space: dict[str, Any] | None = Field(
        None,
        description="For each setting that varies, `low` and `high` (and `log`, or `step`), or `choices`. The settings "
        "are those of a training. Without it, the usual space of the tier.",
    )
    trials: int = Field(DEFAULT_TRIALS, ge=1, le=MAX_TRIALS, strict=True)
    sampler: Literal["tpe", "random"] = Field("tpe", description="How the settings of the next trial are chosen.")
    pruner: Literal["median", "hyperband", "none"] = Field("median", description="When a trial ends early.")
    at_once: int = Field(
        1, ge=1, le=MAX_AT_ONCE, strict=True, description="How many trials run at once, if workers are free."
    )
    minutes: int | None = Field(
        None,
        ge=trainings.MIN_MINUTES,
        le=trainings.MAX_MINUTES,
        strict=True,
        description="How long each trial of a fluent bot learns. Only for a fluent bot.",
    )
    seed: int | None = Field(None, ge=0, le=2**31 - 1, strict=True)

    model_config = examples({"corpus": CORPUS, "space": _SPACE, "trials": 20}, base=Input.model_config)


class MoreTrialsIn(Input):
    trials: int = Field(ge=1, le=MAX_TRIALS, strict=True, description="How many more.")

    model_config = examples({"trials": 10}, base=Input.model_config)


class UseIn(Input):
    trial: int | None = Field(None, ge=0, le=2**31 - 1, strict=True, description="Its number; by default the best.")
    name: Text = Field("", max_length=80, description="The name of the new model; by default the name of the corpus.")

    model_config = examples({"trial": 0, "name": "dril"}, base=Input.model_config)


class TrialOut(Output):
    """One training of a search."""

    number: int = Field(description="From 0.")
    state: Literal["waiting", "running", "complete", "pruned", "failed"] = Field(
        description="`pruned` ended early, because others were better."
    )
    parameters: dict[str, float | int | str]
    bits_per_character: float | None = Field(description="On held-out posts; lower is better.")
    points: dict[str, float] = Field(description="Bits per character after each epoch, or part of a fluent training.")
    seconds: float = Field(description="Seconds of training.")
    weights: int | None = Field(description="How many numbers the network has, once the trial is complete.")
    error: str | None = Field(description="Why it failed.")
    job: uuid.UUID | None = Field(description="The job that runs it, or ran it last.")
    started_at: datetime
    finished_at: datetime | None

    model_config = examples(_TRIAL)


class SearchOut(Output):
    """A search and where it is."""

    id: uuid.UUID
    name: str
    corpus: uuid.UUID | None
    model: uuid.UUID | None = Field(description="The model that each trial starts from. Null if it's deleted.")
    space: dict[str, Any]
    sampler: Literal["tpe", "random"]
    pruner: Literal["median", "hyperband", "none"]
    at_once: int
    minutes: int | None = Field(description="How long each trial of a fluent bot learns.")
    seed: int
    state: Literal["running", "stopped", "done"]
    trials: int = Field(description="How many trials are wanted.")
    ended: int = Field(description="How many have ended.")
    seconds_left: float | None = Field(description="About how long the rest takes, while it runs.")
    best: TrialOut | None = Field(description="The complete trial with the lowest bits per character.")
    importance: dict[str, float] = Field(
        description="How much each setting matters, 1 in total. Empty before enough trials are complete."
    )
    jobs: list[uuid.UUID] = Field(description="The jobs that run trials.")
    created_at: datetime

    model_config = examples(
        {
            "id": _SEARCH,
            "name": "dril",
            "corpus": CORPUS,
            "model": BASE,
            "space": _SPACE,
            "sampler": "tpe",
            "pruner": "median",
            "at_once": 1,
            "minutes": None,
            "seed": 7,
            "state": "running",
            "trials": 20,
            "ended": 1,
            "seconds_left": 950.0,
            "best": _TRIAL,
            "importance": {},
            "jobs": [JOB],
            "created_at": MOMENT,
        }
    )


@router.get("", response=Page[SearchOut], summary="List your searches")
def list_searches(request: HttpRequest, query: Query[PageQuery]) -> PageDict:
    """Your searches for the settings of bots, newest first."""
    own = with_trials(_own(request))
    return page_of(own, query, lambda rows: map(_told, rows))


@router.post("", response={202: SearchOut}, summary="Search for the best settings")
def create_search(request: HttpRequest, body: SearchIn) -> Status[SearchOut]:
    """Queue trials: trainings on the same posts with different settings. Their minutes count against your limit.

    Answers 409 at a limit, and while the corpus is being imported.
    """
    owner = person(request)
    corpus = corpus_to_learn(owner, body.corpus)
    start = start_of(owner, body.model, body.tier)
    try:
        with about("corpus"):
            search = searches.start_for_bot(
                owner=owner,
                corpus=corpus,
                start=start,
                name=body.name,
                space=body.space,
                minutes=body.minutes,
                how=how_of(body),
            )
    except BadSpace as error:
        raise bad_value("space", translated(error), code=error.code) from None
    return Status(202, _told(search))


@router.get("/{uuid:search_id}", response=SearchOut, summary="Get a search")
def get_search(request: HttpRequest, search_id: uuid.UUID) -> SearchOut:
    """One of your searches, and where it is."""
    return _told(_search_or_404(request, search_id))


@router.get("/{uuid:search_id}/trials", response=Page[TrialOut], summary="List the trials of a search")
def list_trials(request: HttpRequest, search_id: uuid.UUID) -> PageDict:
    """All its trials, in the order of their numbers."""
    rows = _search_or_404(request, search_id).trials.order_by("number")
    return PageDict(data=[shown_trial(trial) for trial in rows], has_more=False)


@router.post("/{uuid:search_id}/stop", response=SearchOut, summary="Stop a search")
def stop_search(request: HttpRequest, search_id: uuid.UUID) -> SearchOut:
    """Cancel its jobs. A trial that runs continues when you resume the search within a day. Stopping twice is fine."""
    search = _search_or_404(request, search_id)
    searches.stop(search)
    return _told(_search_or_404(request, search_id))


@router.post("/{uuid:search_id}/resume", response=SearchOut, summary="Resume a search")
def resume_search(request: HttpRequest, search_id: uuid.UUID) -> SearchOut:
    """Queue jobs for the trials that are left. Answers 409 while it runs, and if none is left."""
    search = _search_or_404(request, search_id)
    with missing_is_404(Search.DoesNotExist, "search"):
        searches.resume(search, by=person(request))
    return _told(_search_or_404(request, search_id))


@router.post("/{uuid:search_id}/trials", response=SearchOut, summary="Add trials to a search")
def add_trials(request: HttpRequest, search_id: uuid.UUID, body: MoreTrialsIn) -> SearchOut:
    """Add trials and queue jobs for them. Answers 409 if there would be too many."""
    search = _search_or_404(request, search_id)
    with missing_is_404(Search.DoesNotExist, "search"):
        searches.add_trials(search, body.trials, by=person(request))
    return _told(_search_or_404(request, search_id))


@router.post("/{uuid:search_id}/use", response={202: JobOut}, summary="Train a model with the settings of a trial")
def use_trial(request: HttpRequest, search_id: uuid.UUID, body: UseIn) -> Status[JobOut]:
    """Queue a training with the settings of a trial. Its `result` will contain the model.

    Answers 409 for a trial that isn't complete.
    """
    search = _search_or_404(request, search_id)
    job = searches.use(search, body.trial, by=person(request), name=body.name)
    return Status(202, told_one(job))


@router.delete("/{uuid:search_id}", response={204: None}, summary="Delete a search")
def delete_search(request: HttpRequest, search_id: uuid.UUID) -> Status[None]:
    """Delete one of your searches with its trials and jobs. Models that were made from it stay."""
    searches.delete(_search_or_404(request, search_id))
    return Status(204, None)


def _own(request: HttpRequest) -> Any:
    """Return the person's own searches. Those for base models have operations of their own."""
    return searches.searches_for_user(person(request)).filter(kind=Search.Kind.BOT)


def _search_or_404(request: HttpRequest, search_id: uuid.UUID) -> Search:
    with missing_is_404(Search.DoesNotExist, "search"):
        found: Search = with_trials(_own(request)).get(pk=search_id)
    return found


def how_of(body: Input) -> How:
    """Return how the search of this body goes about."""
    return How(**body.model_dump(include=_HOW))


def _told(search: Search) -> SearchOut:
    outlook = outlook_of(search)
    same = ("name", "space", "sampler", "pruner", "at_once", "seed", "importance", "created_at")
    return SearchOut(
        **{name: getattr(search, name) for name in same},
        id=search.pk,
        corpus=search.corpus_id,
        model=search.start_id,
        minutes=search.settings.get("minutes"),
        state=outlook.state,
        trials=search.wanted,
        ended=outlook.ended,
        seconds_left=outlook.seconds_left,
        best=None if outlook.best is None else shown_trial(outlook.best),
        jobs=[lane.job_id for lane in search.lanes.all()],
    )


def shown_trial(trial: Trial) -> TrialOut:
    same = ("number", "state", "parameters", "bits_per_character", "points", "seconds", "weights")
    return TrialOut(
        **{name: getattr(trial, name) for name in same},
        error=trial.shown_why or None,
        job=trial.job_id,
        started_at=trial.started_at,
        finished_at=trial.finished_at,
    )
