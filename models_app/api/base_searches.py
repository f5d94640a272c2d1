"""`/base-searches`: searches for the best settings of a base model. For administrators only; they share them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final, Literal

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router, Status
from pydantic import Field

from botfactory.jobs.api import JobOut, told_one
from botfactory.rest.access import ADMINISTRATORS, person
from botfactory.rest.errors import bad_value, missing_is_404
from botfactory.rest.paging import PageDict, PageQuery, page_of
from botfactory.rest.schemas import Input, Output, Page, Text, examples
from botfactory.translation import translated
from models_app.api.parts import JOB, MOMENT, about, corpus_to_learn
from models_app.api.searches import MoreTrialsIn, TrialOut, UseIn, how_of, shown_trial
from models_app.base_models import services as bases
from models_app.ml.config import NETWORKS
from models_app.models import Search, TrainedModel
from models_app.search import services as searches
from models_app.search.how import DEFAULT_TRIALS, MAX_AT_ONCE, MAX_TRIALS
from models_app.search.outlook import outlook_of, with_trials
from models_app.search.space import BadSpace

router = Router(tags=["base searches"], auth=ADMINISTRATORS)

_SPACE: Final[dict[str, Any]] = {
    "units": {"choices": [128, 256]},
    "learning_rate": {"low": 0.0005, "high": 0.01, "log": True},
}
_MAX_FILES: Final = 1000
_SEARCH: Final = "3b0f6d1e-5a0c-4c59-8a94-0a2d6f1b7c55"


class BaseSearchIn(Input):
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
    trials: int = Field(DEFAULT_TRIALS, ge=1, le=MAX_TRIALS, strict=True)
    sampler: Literal["tpe", "random"] = Field("tpe", description="How the settings of the next trial are chosen.")
    pruner: Literal["median", "hyperband", "none"] = Field("median", description="When a trial ends early.")
    at_once: int = Field(1, ge=1, le=MAX_AT_ONCE, strict=True, description="How many trials run at once.")
    seed: int | None = Field(None, ge=0, le=2**31 - 1, strict=True)

    model_config = examples(
        {
            "name": "wide",
            "files": ["tweets/train.txt.gz"],
            "validation": "tweets/validation.txt.gz",
            "minutes": 5,
            "space": _SPACE,
        },
        base=Input.model_config,
    )


class BaseSearchOut(Output):
    """A search for a base model and where it is."""

    id: uuid.UUID
    name: str
    files: list[str]
    validation: str
    corpus: uuid.UUID | None
    model: uuid.UUID | None = Field(description="The model that each trial starts from. Null: none, or deleted.")
    minutes: float | None
    megabytes: float | None
    space: dict[str, Any]
    sampler: Literal["tpe", "random"]
    pruner: Literal["median", "hyperband", "none"]
    at_once: int
    seed: int
    state: Literal["running", "stopped", "done"]
    trials: int = Field(description="How many trials are wanted.")
    ended: int = Field(description="How many have ended.")
    seconds_left: float | None = Field(description="About how long the rest takes, while it runs.")
    best: TrialOut | None = Field(description="The complete trial with the lowest bits per character.")
    importance: dict[str, float]
    jobs: list[uuid.UUID] = Field(description="The jobs that run trials.")
    created_at: datetime

    model_config = examples(
        {
            "id": _SEARCH,
            "name": "wide",
            "files": ["tweets/train.txt.gz"],
            "validation": "tweets/validation.txt.gz",
            "corpus": None,
            "model": None,
            "minutes": 5.0,
            "megabytes": None,
            "space": _SPACE,
            "sampler": "tpe",
            "pruner": "median",
            "at_once": 1,
            "seed": 7,
            "state": "running",
            "trials": 20,
            "ended": 0,
            "seconds_left": None,
            "best": None,
            "importance": {},
            "jobs": [JOB],
            "created_at": MOMENT,
        }
    )


@router.get("", response=Page[BaseSearchOut], summary="List the searches for base models")
def list_base_searches(request: HttpRequest, query: Query[PageQuery]) -> PageDict:
    """All searches for base models, newest first."""
    return page_of(with_trials(_all(request)), query, lambda rows: map(_told, rows))


@router.post("", response={202: BaseSearchOut}, summary="Search for the best base model")
def create_base_search(request: HttpRequest, body: BaseSearchIn) -> Status[BaseSearchOut]:
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
                start=_start(body.model),
                network=body.network,
                how=how_of(body),
            )
    except BadSpace as error:
        raise bad_value("space", translated(error), code=error.code) from None
    return Status(202, _told(search))


@router.get("/{uuid:search_id}", response=BaseSearchOut, summary="Get a search for a base model")
def get_base_search(request: HttpRequest, search_id: uuid.UUID) -> BaseSearchOut:
    """The search, and where it is."""
    return _told(_search_or_404(request, search_id))


@router.get("/{uuid:search_id}/trials", response=Page[TrialOut], summary="List the trials of a base search")
def list_base_trials(request: HttpRequest, search_id: uuid.UUID) -> PageDict:
    """All its trials, in the order of their numbers."""
    rows = _search_or_404(request, search_id).trials.order_by("number")
    return PageDict(data=[shown_trial(trial) for trial in rows], has_more=False)


@router.post("/{uuid:search_id}/stop", response=BaseSearchOut, summary="Stop a base search")
def stop_base_search(request: HttpRequest, search_id: uuid.UUID) -> BaseSearchOut:
    """Cancel its jobs. A trial that runs continues when the search is resumed within a day."""
    searches.stop(_search_or_404(request, search_id))
    return _told(_search_or_404(request, search_id))


@router.post("/{uuid:search_id}/resume", response=BaseSearchOut, summary="Resume a base search")
def resume_base_search(request: HttpRequest, search_id: uuid.UUID) -> BaseSearchOut:
    """Queue jobs for the trials that are left. Answers 409 while it runs, and if none is left."""
    search = _search_or_404(request, search_id)
    with missing_is_404(Search.DoesNotExist, "search"):
        searches.resume(search, by=person(request))
    return _told(_search_or_404(request, search_id))


@router.post("/{uuid:search_id}/trials", response=BaseSearchOut, summary="Add trials to a base search")
def add_base_trials(request: HttpRequest, search_id: uuid.UUID, body: MoreTrialsIn) -> BaseSearchOut:
    """Add trials and queue jobs for them. Answers 409 if there would be too many."""
    search = _search_or_404(request, search_id)
    with missing_is_404(Search.DoesNotExist, "search"):
        searches.add_trials(search, body.trials, by=person(request))
    return _told(_search_or_404(request, search_id))


@router.post("/{uuid:search_id}/use", response={202: JobOut}, summary="Train a base model with the settings of a trial")
def use_base_trial(request: HttpRequest, search_id: uuid.UUID, body: UseIn) -> Status[JobOut]:
    """Queue a training of a new version with the settings of a trial. Answers 409 for one that isn't complete."""
    search = _search_or_404(request, search_id)
    return Status(202, told_one(searches.use(search, body.trial, by=person(request), name=body.name)))


@router.delete("/{uuid:search_id}", response={204: None}, summary="Delete a base search")
def delete_base_search(request: HttpRequest, search_id: uuid.UUID) -> Status[None]:
    """Delete the search with its trials and jobs. Base models that were made from it stay."""
    searches.delete(_search_or_404(request, search_id))
    return Status(204, None)


def _all(request: HttpRequest) -> Any:
    return searches.searches_for_user(person(request)).filter(kind=Search.Kind.BASE)


def _search_or_404(request: HttpRequest, search_id: uuid.UUID) -> Search:
    with missing_is_404(Search.DoesNotExist, "search"):
        found: Search = with_trials(_all(request)).get(pk=search_id)
    return found


def _start(number: uuid.UUID | None) -> TrainedModel | None:
    if number is None:
        return None
    found = bases.all_versions().filter(pk=number, retired_at=None).first()
    if found is None:
        raise bad_value("model", _("There is no such base model."))
    return found


def _told(search: Search) -> BaseSearchOut:
    outlook = outlook_of(search)
    same = ("name", "space", "sampler", "pruner", "at_once", "seed", "importance")
    budget = search.settings["budget"]
    return BaseSearchOut(
        **{name: getattr(search, name) for name in same},
        id=search.pk,
        files=search.settings["files"],
        validation=search.settings["validation"],
        corpus=search.corpus_id,
        model=search.start_id,
        minutes=budget.get("minutes"),
        megabytes=budget.get("megabytes"),
        state=outlook.state,
        trials=search.wanted,
        ended=outlook.ended,
        seconds_left=outlook.seconds_left,
        best=None if outlook.best is None else shown_trial(outlook.best),
        jobs=[lane.job_id for lane in search.lanes.all()],
        created_at=search.created_at,
    )
