"""`/searches`: searches for the best settings, their trials, and models made of them.

Administrators share those for base models.
"""

from __future__ import annotations

import uuid
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, Literal

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router, Status
from pydantic import Field

from botfactory.jobs.api import JobOut, told_one
from botfactory.rest.access import ADMINISTRATORS, access_of, person
from botfactory.rest.errors import bad_value, missing_is_404, register_errors
from botfactory.rest.paging import PageDict, PageQuery, page_of
from botfactory.rest.schemas import Input, Output, Page, Text, examples
from botfactory.words.translation import translated
from models_app.api.parts import BASE, CORPUS, JOB, MOMENT, about, corpus_to_learn, start_of
from models_app.bases import services as bases
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.config import NETWORKS
from models_app.search import services as searches
from models_app.search.how import DEFAULT_TRIALS, MAX_AT_ONCE, MAX_TRIALS, How
from models_app.search.outlook import outlook_of, with_trials
from models_app.search.rows import Search, Trial
from models_app.search.space import BadSpace
from models_app.training import planning

router = Router(tags=["searches"])
register_errors({bases.BaseError: 422})

#: The fields of a body that say how its search goes about.
_HOW: Final = {field.name for field in fields(How)}

_SEARCH: Final = "7d4c1c1a-0b52-4a6e-9a55-2f7a3e0c9d84"
_SPACE: Final[dict[str, Any]] = {
    "learning_rate": {"low": 0.0005, "high": 0.008, "log": True},
    "epochs": {"low": 1, "high": 4},
    "batch_size": {"choices": [16, 32]},
}
_BASE_SPACE: Final[dict[str, Any]] = {
    "units": {"choices": [128, 256]},
    "learning_rate": {"low": 0.0005, "high": 0.01, "log": True},
}
_MAX_FILES: Final = 1000
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


class _HowIn(Input):
    trials: int = Field(DEFAULT_TRIALS, ge=1, le=MAX_TRIALS, strict=True)
    sampler: Literal["tpe", "random"] = Field("tpe", description="How the settings of the next trial are chosen.")
    pruner: Literal["median", "hyperband", "none"] = Field("median", description="When a trial ends early.")
    at_once: int = Field(
        1, ge=1, le=MAX_AT_ONCE, strict=True, description="How many trials run at once, if workers are free."
    )
    seed: int | None = Field(None, ge=0, le=2**31 - 1, strict=True)


class SearchIn(_HowIn):
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
    minutes: int | None = Field(
        None,
        ge=planning.MIN_MINUTES,
        le=planning.MAX_MINUTES,
        strict=True,
        description="How long each trial of a fluent bot learns. Only for a fluent bot.",
    )

    model_config = examples({"corpus": CORPUS, "space": _SPACE, "trials": 20}, base=Input.model_config)


class BaseSearchIn(_HowIn):
    """A search for a base model: many trainings on the same posts for the same time, with different settings."""

    name: Text = Field("", max_length=searches.LONGEST_NAME)
    files: list[Text] = Field(
        default_factory=list,
        max_length=_MAX_FILES,
        description="Training files below the folder of the operator (`TRAINING_DIR`), such as those of a prepared "
        "corpus.",
    )
    validation: Text = Field("", max_length=1000, description="The file for validation.")
    corpus: uuid.UUID | None = Field(None, description="Instead of files: a corpus of yours.")
    model: uuid.UUID | None = Field(None, description="The base model that each trial starts from. Null: from scratch.")
    network: Literal[*sorted(NETWORKS)] = Field(  # type: ignore[valid-type]
        "glr", description="The kind of network of a trial that starts from scratch."
    )
    minutes: float | None = Field(None, gt=0, le=1_000_000, description="How long each trial learns.")
    megabytes: float | None = Field(None, gt=0, le=1_000_000, description="Instead of minutes: how much it reads.")
    space: dict[str, Any] = Field(
        description="For each setting that varies, `low` and `high` (and `log`, or `step`), or `choices`. "
        "`vocabulary` is how many tokens a `glr` network learns to read, or 0 for bytes."
    )

    model_config = examples(
        {
            "name": "wide",
            "files": ["tweets/train.txt.gz"],
            "validation": "tweets/validation.txt.gz",
            "minutes": 5,
            "space": _BASE_SPACE,
        },
        base=Input.model_config,
    )


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
    kind: Literal["bot", "base"] = Field(description="What it's for: a bot, or a base model.")
    name: str
    corpus: uuid.UUID | None
    files: list[str] = Field(description="Training files. Only for a base model.")
    validation: str = Field(description="The file for validation. Only for a base model.")
    model: uuid.UUID | None = Field(description="The model that each trial starts from. Null: none, or deleted.")
    space: dict[str, Any]
    sampler: Literal["tpe", "random"]
    pruner: Literal["median", "hyperband", "none"]
    at_once: int
    minutes: float | None = Field(description="How long each trial of a fluent bot or a base model learns.")
    megabytes: float | None = Field(description="How much each trial of a base model reads.")
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
            "kind": "bot",
            "name": "dril",
            "corpus": CORPUS,
            "files": [],
            "validation": "",
            "model": BASE,
            "space": _SPACE,
            "sampler": "tpe",
            "pruner": "median",
            "at_once": 1,
            "minutes": None,
            "megabytes": None,
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
    """Your searches, newest first. For administrators, with the scope `admin`, also all those for base models."""
    return page_of(with_trials(_visible(request)), query, lambda rows: map(_told, rows))


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
                how=_how_of(body),
            )
    except BadSpace as error:
        raise bad_value("space", translated(error), code=error.code) from None
    return Status(202, _told(search))


@router.post("/base", response={202: SearchOut}, auth=ADMINISTRATORS, summary="Search for the best base model")
def create_base_search(request: HttpRequest, body: BaseSearchIn) -> Status[SearchOut]:
    """Queue trials: trainings of base models with different settings. Set either `minutes` or `megabytes`."""
    administrator = person(request)
    corpus = corpus_to_learn(administrator, body.corpus) if body.corpus is not None else None
    try:
        with about("corpus"):
            search = searches.start_for_base(
                by=administrator,
                name=body.name,
                space=body.space,
                budget=bases.Budget(body.minutes, body.megabytes),
                files=body.files,
                validation=body.validation,
                corpus=corpus,
                start=_base_of(body.model),
                network=body.network,
                how=_how_of(body),
            )
    except BadSpace as error:
        raise bad_value("space", translated(error), code=error.code) from None
    return Status(202, _told(search))


@router.get("/{uuid:search_id}", response=SearchOut, summary="Get a search")
def get_search(request: HttpRequest, search_id: uuid.UUID) -> SearchOut:
    """The search, and where it is."""
    return _told(_search_or_404(request, search_id))


@router.get("/{uuid:search_id}/trials", response=Page[TrialOut], summary="List the trials of a search")
def list_trials(request: HttpRequest, search_id: uuid.UUID) -> PageDict:
    """All its trials, in the order of their numbers."""
    rows = _search_or_404(request, search_id).trials.order_by("number")
    return PageDict(data=[_shown_trial(trial) for trial in rows], has_more=False)


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
    """Queue a training with the settings of a trial: of a bot, or of a new version of the base model.

    Answers 409 for a trial that isn't complete.
    """
    search = _search_or_404(request, search_id)
    job = searches.use(search, body.trial, by=person(request), name=body.name)
    return Status(202, told_one(job))


@router.delete("/{uuid:search_id}", response={204: None}, summary="Delete a search")
def delete_search(request: HttpRequest, search_id: uuid.UUID) -> Status[None]:
    """Delete a search with its trials and jobs. Models that were made from it stay."""
    searches.delete(_search_or_404(request, search_id))
    return Status(204, None)


def _visible(request: HttpRequest) -> Any:
    """Return the person's own searches. Those for base models need the scope `admin`."""
    found = searches.searches_for_user(person(request))
    return found if "admin" in access_of(request).scopes else found.filter(kind=Search.Kind.BOT)


def _base_of(number: uuid.UUID | None) -> TrainedModel | None:
    if number is None:
        return None
    found = bases.all_versions().filter(pk=number, retired_at=None).first()
    if found is None:
        raise bad_value("model", _("There is no such base model."))
    return found


def _search_or_404(request: HttpRequest, search_id: uuid.UUID) -> Search:
    with missing_is_404(Search.DoesNotExist, "search"):
        found: Search = with_trials(_visible(request)).get(pk=search_id)
    return found


def _how_of(body: _HowIn) -> How:
    """Return how the search of this body goes about."""
    return How(**body.model_dump(include=_HOW))


def _told(search: Search) -> SearchOut:
    outlook = outlook_of(search)
    same = ("kind", "name", "space", "sampler", "pruner", "at_once", "seed", "importance", "created_at")
    settings, of_base = search.settings, search.kind == Search.Kind.BASE
    length = settings["budget"] if of_base else settings
    return SearchOut(
        **{name: getattr(search, name) for name in same},
        id=search.pk,
        corpus=search.corpus_id,
        files=settings["files"] if of_base else [],
        validation=settings["validation"] if of_base else "",
        model=search.start_id,
        minutes=length.get("minutes"),
        megabytes=length.get("megabytes"),
        state=outlook.state,
        trials=search.wanted,
        ended=outlook.ended,
        seconds_left=outlook.seconds_left,
        best=None if outlook.best is None else _shown_trial(outlook.best),
        jobs=[lane.job_id for lane in search.lanes.all()],
    )


def _shown_trial(trial: Trial) -> TrialOut:
    same = ("number", "state", "parameters", "bits_per_character", "points", "seconds", "weights")
    return TrialOut(
        **{name: getattr(trial, name) for name in same},
        error=trial.shown_why or None,
        job=trial.job_id,
        started_at=trial.started_at,
        finished_at=trial.finished_at,
    )
