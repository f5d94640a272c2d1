"""`POST /jobs`: queue a training, or estimate it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from botfactory.accounts.models import User
from botfactory.jobs.api import JobOut, job_or_404, queued, told_one
from botfactory.rest.access import person
from botfactory.rest.errors import ApiError
from botfactory.rest.paging import PageDict
from botfactory.rest.schemas import Input, Output, Page, Text, examples
from botfactory.words.translation import translated
from models_app.api.parts import BASE, CORPUS, HYPERPARAMETERS, about, corpus_to_learn, start_of
from models_app.bots import epochs
from models_app.bots.rows import Tier
from models_app.ml.config import MAX_EPOCHS, MIN_EPOCHS
from models_app.training import instant, planning
from tweets.models import Corpus

router = Router(tags=["jobs"])


@dataclass(frozen=True, slots=True)
class _Auto:
    """The field also accepts "auto", which has the same effect as not sending it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(_without_auto, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"const": "auto"}, *handler(schema)["anyOf"]]}


def _without_auto(value: Any) -> Any:
    return None if value == "auto" else value


def _whole(low: int, high: int) -> Any:
    return Field(ge=low, le=high, strict=True)


_EPOCHS: Final = (
    f"How often each post is read. A fluent training takes at most {planning.MAX_EPOCHS_BY_TIER[Tier.FLUENT]}; with "
    "this, it reads all posts, however long it takes."
)
_MINUTES: Final = (
    "How many minutes a fluent training may take on this machine. It reads the newest posts that fit into them, or a "
    f"small corpus twice. The default is {planning.DEFAULT_MINUTES}. Send either this or `epochs`. A quick training "
    "ignores it."
)


class InstantIn(Input):
    """An instant bot: no training; it writes with some of the posts in its context."""

    corpus: uuid.UUID = Field(description="The corpus to write like.")
    name: Text = Field("", max_length=80, description="The name of the new model; by default the name of the corpus.")

    model_config = examples({"corpus": CORPUS, "name": "dril, instant"}, base=Input.model_config)


class TrainingIn(Input):
    """A training. Values that are "auto" or not sent are chosen to fit the corpus."""

    kind: Literal["fine_tune"]
    corpus: uuid.UUID = Field(description="The corpus to learn.")
    model: uuid.UUID | None = Field(None, description="The model to start from; by default the base model of the tier.")
    tier: Tier | None = Field(
        None,
        description="The kind of bot; by default fluent if it's offered (`GET /models/bases`). With `model`, it must "
        "be the tier of that model.",
    )
    name: Text = Field("", max_length=80, description="The name of the new model; by default the name of the corpus.")
    epochs: Annotated[int | None, Field(ge=MIN_EPOCHS, le=MAX_EPOCHS, strict=True, description=_EPOCHS), _Auto()] = None
    minutes: Annotated[
        int | None,
        Field(ge=planning.MIN_MINUTES, le=planning.MAX_MINUTES, strict=True, description=_MINUTES),
        _Auto(),
    ] = None
    batch_size: Annotated[int | None, _whole(1, 4096), _Auto()] = None
    sequence_length: Annotated[int | None, _whole(1, 1024), _Auto()] = None
    learning_rate: Annotated[float | None, Field(gt=0, le=1, strict=True), _Auto()] = None
    final_learning_rate: Annotated[float | None, Field(ge=0, le=1, strict=True), _Auto()] = None
    warmup_steps: Annotated[int | None, _whole(0, 1_000_000), _Auto()] = None
    dropout: Annotated[float | None, Field(ge=0, le=0.9, strict=True), _Auto()] = None
    clip_norm: Annotated[float | None, Field(gt=0, le=1000, strict=True), _Auto()] = None
    beta_2: Annotated[float | None, Field(ge=0, le=0.99999, strict=True), _Auto()] = None
    rounds: Annotated[int | None, _whole(1, MAX_EPOCHS), _Auto()] = None
    seed: Annotated[int | None, _whole(0, 2**31 - 1), _Auto()] = None

    model_config = examples(
        {"kind": "fine_tune", "corpus": CORPUS, "name": "dril", "epochs": "auto", "learning_rate": 0.0005},
        base=Input.model_config,
    )

    def settings(self) -> dict[str, Any]:
        """Return the values that the caller has set, with the names of the config."""
        values = {name: getattr(self, name) for name in planning.SETTINGS}
        return {name: value for name, value in values.items() if value is not None}


class HyperparametersOut(Output):
    """The hyperparameters of a training. Chosen values replace `auto`."""

    epochs: int
    batch_size: int
    sequence_length: int
    learning_rate: float
    final_learning_rate: float
    warmup_steps: int
    dropout: float | None = Field(None, description="Null for a fluent training, which has none.")
    clip_norm: float
    beta_2: float
    rounds: int = Field(1, description="How many times it starts over; the weights of the rounds are averaged.")
    points: int | None = Field(
        None, description="The number of parts of a fluent training; each ends with a checkpoint. Null for a quick one."
    )
    most_characters: int | None = Field(
        None,
        description="The most characters that a fluent training reads, newest posts first; 0 means all. Null for "
        "a quick one, which reads all.",
    )
    seed: int | None = Field(description="Null if it will be random.")


_ESTIMATE: Final = {
    "corpus": CORPUS,
    "model": BASE,
    "tier": "quick",
    "characters": 190000,
    "hyperparameters": HYPERPARAMETERS,
    "seconds": 41.5,
    "jobs_ahead": 0,
    "people_ahead": 0,
    "warnings": [],
}


class EstimateOut(Output):
    """The estimate of a training."""

    corpus: uuid.UUID
    model: uuid.UUID = Field(description="The model that it starts from.")
    tier: Tier = Field(description="The tier of that model, and so of the new one.")
    characters: int = Field(description="The number of characters in the corpus.")
    hyperparameters: HyperparametersOut
    seconds: float = Field(description="The estimated duration, once it runs, judging by recent trainings.")
    jobs_ahead: int = Field(description="The number of running and waiting trainings ahead of it.")
    people_ahead: int = Field(description="The number of other people whose trainings these are.")
    warnings: list[str] = Field(
        description="Sentences about what speaks against this training, such as posts in a language in which bots of "
        "this tier write badly."
    )

    model_config = examples(_ESTIMATE)


class TrainingJobOut(JobOut):
    """The queued job and its estimate."""

    estimate: EstimateOut

    model_config = examples(
        {
            **queued(
                kind="fine_tune",
                title="Train dril",
                corpus=CORPUS,
                details={"model": BASE, "model_name": "base", "name": "dril", "hyperparameters": HYPERPARAMETERS},
            ),
            "estimate": _ESTIMATE,
        }
    )


@router.post("", response={202: TrainingJobOut}, summary="Train a model")
def create_job(request: HttpRequest, body: TrainingIn) -> Status[TrainingJobOut]:
    """Queue a training. Its `result` will contain the model; `details` has the chosen hyperparameters.

    Answers 409 at a limit, and while the corpus is being imported.
    """
    owner = person(request)
    corpus, plan = _planned(owner, body)
    with about("corpus"):
        job = planning.fine_tune(
            owner=owner,
            corpus=corpus,
            start=plan.start,
            epochs=body.epochs,
            minutes=body.minutes,
            name=body.name,
            seed=body.seed,
            settings=body.settings(),
        )
    estimate = _estimate(corpus, plan, job.arguments["seed"])
    return Status(202, TrainingJobOut(**told_one(job).model_dump(), estimate=estimate))


@router.post("/instant", response={202: JobOut}, summary="Make an instant bot")
def create_instant_bot(request: HttpRequest, body: InstantIn) -> Status[JobOut]:
    """Queue the making of an instant bot, which takes seconds. Its `result` will contain the model.

    Answers 409 at a limit, while the corpus is being imported, and where fluent bots aren't offered.
    """
    owner = person(request)
    corpus = corpus_to_learn(owner, body.corpus)
    try:
        with about("corpus"):
            job = instant.make(owner=owner, corpus=corpus, name=body.name)
    except planning.TierNotOffered as error:
        # Nothing is wrong with the request.
        raise ApiError(409, error.code, translated(error)) from None
    return Status(202, told_one(job))


@router.post("/estimate", response=EstimateOut, summary="Estimate a training")
def estimate_job(request: HttpRequest, body: TrainingIn) -> EstimateOut:
    """Get the hyperparameters and the estimated duration of a training, without queueing it. The body is the same."""
    corpus, plan = _planned(person(request), body)
    return _estimate(corpus, plan, body.seed)


@router.get("/{uuid:job_id}/checkpoints", response=Page[epochs.Checkpoint], summary="List the epochs of a training")
def job_checkpoints(request: HttpRequest, job_id: uuid.UUID) -> PageDict:
    """List the finished epochs with their losses, in order."""
    events = job_or_404(request, job_id).events.order_by("sequence")
    return PageDict(data=[epochs.checkpoint(event) for event in epochs.valid(events)], has_more=False)


def _planned(owner: User, body: TrainingIn) -> tuple[Corpus, planning.Plan]:
    corpus = corpus_to_learn(owner, body.corpus)
    start = start_of(owner, body.model, body.tier)
    with about("corpus"):
        plan = planning.plan(
            owner=owner,
            corpus=corpus,
            start=start,
            epochs=body.epochs,
            minutes=body.minutes,
            seed=body.seed,
            settings=body.settings(),
        )
    return corpus, plan


def _shown(config: planning.Config) -> dict[str, Any]:
    """Return the settings without what says of which kind they are: the tier says it."""
    return {name: value for name, value in config.as_dict().items() if name != "kind"}


def _estimate(corpus: Corpus, plan: planning.Plan, seed: int | None) -> EstimateOut:
    return EstimateOut(
        corpus=corpus.pk,
        model=plan.start.pk,
        tier=Tier(plan.start.tier),
        characters=corpus.characters,
        hyperparameters=HyperparametersOut(**{**_shown(plan.config), "seed": seed}),
        seconds=round(plan.seconds, 1),
        jobs_ahead=plan.ahead.jobs,
        people_ahead=plan.ahead.people,
        warnings=[plan.warning] if plan.warning else [],
    )
