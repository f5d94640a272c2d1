"""`POST /jobs`: a training is queued, or only estimated."""

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
from botfactory.rest.errors import bad_value
from botfactory.rest.paging import PageDict
from botfactory.rest.schemas import Input, Output, Page, Text, examples
from models_app import epochs, services, trainings
from models_app.api_parts import BASE, CORPUS, HYPERPARAMETERS, about
from models_app.ml.config import MAX_EPOCHS, MIN_EPOCHS
from models_app.models import TrainedModel
from tweets import services as corpora
from tweets.models import Corpus

router = Router(tags=["jobs"])


@dataclass(frozen=True, slots=True)
class _Auto:
    """The field takes "auto" as well, which is as if it had not been sent."""

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


class TrainingIn(Input):
    """What is to be trained. Whatever is "auto", or not sent, is chosen to fit the corpus."""

    kind: Literal["fine_tune"]
    corpus: uuid.UUID = Field(description="The corpus that is learned.")
    model: uuid.UUID | None = Field(None, description="The model to start from; else the base model.")
    name: Text = Field("", max_length=80, description="What the new model is called; else as its corpus.")
    epochs: Annotated[int | None, _whole(MIN_EPOCHS, MAX_EPOCHS), _Auto()] = None
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
        """What the caller has set, by the names of FineTuneConfig."""
        values = {name: getattr(self, name) for name in trainings.SETTINGS}
        return {name: value for name, value in values.items() if value is not None}


class HyperparametersOut(Output):
    """What a training learns with, `auto` replaced by what was chosen."""

    epochs: int
    batch_size: int
    sequence_length: int
    learning_rate: float
    final_learning_rate: float
    warmup_steps: int
    dropout: float
    clip_norm: float
    beta_2: float
    rounds: int = Field(1, description="How often it learns from the start; the weights of the rounds are averaged.")
    seed: int | None = Field(description="Null where it will be chosen by chance.")


_ESTIMATE: Final = {
    "corpus": CORPUS,
    "model": BASE,
    "characters": 190000,
    "hyperparameters": HYPERPARAMETERS,
    "seconds": 41.5,
    "jobs_ahead": 0,
}


class EstimateOut(Output):
    """What a training comes to."""

    corpus: uuid.UUID
    model: uuid.UUID = Field(description="The model that it starts from.")
    characters: int = Field(description="Of the corpus.")
    hyperparameters: HyperparametersOut
    seconds: float = Field(description="About how long it takes here once it runs, by the last trainings that ended.")
    jobs_ahead: int = Field(description="Trainings that come before it, those that run among them.")

    model_config = examples(_ESTIMATE)


class TrainingJobOut(JobOut):
    """The job that was queued, and what it comes to."""

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
    """A training is queued; its `result` will name the model. `details` has the hyperparameters that were chosen.

    409 at a limit, and while the corpus is being imported.
    """
    owner = person(request)
    corpus, plan = _planned(owner, body)
    with about("corpus"):
        job = trainings.fine_tune(
            owner=owner,
            corpus=corpus,
            start=plan.start,
            epochs=plan.config.epochs,
            name=body.name,
            seed=body.seed,
            settings=body.settings(),
        )
    estimate = _estimate(corpus, plan, job.arguments["seed"])
    return Status(202, TrainingJobOut(**told_one(job).model_dump(), estimate=estimate))


@router.post("/estimate", response=EstimateOut, summary="What a training comes to")
def estimate_job(request: HttpRequest, body: TrainingIn) -> EstimateOut:
    """For the body that would queue it: the hyperparameters, and about how long it takes. Nothing is queued."""
    corpus, plan = _planned(person(request), body)
    return _estimate(corpus, plan, body.seed)


@router.get("/{uuid:job_id}/checkpoints", response=Page[epochs.Checkpoint], summary="The epochs of a training")
def job_checkpoints(request: HttpRequest, job_id: uuid.UUID) -> PageDict:
    """Each epoch that has ended with its losses, in their order: what the curve of the page shows. There are few."""
    events = job_or_404(request, job_id).events.order_by("sequence")
    return PageDict(data=[epochs.checkpoint(event) for event in epochs.standing(events)], has_more=False)


def _planned(owner: User, body: TrainingIn) -> tuple[Corpus, trainings.Plan]:
    try:
        corpus = corpora.corpus_for_user(owner, body.corpus)
    except Corpus.DoesNotExist:
        raise bad_value("corpus", "There is no such corpus, or it is not yours.", code="unknown_corpus") from None
    try:
        with about("model"):
            start = services.start_for_user(owner, body.model)
    except TrainedModel.DoesNotExist:
        raise bad_value("model", "There is no such model, or it is not yours.", code="unknown_model") from None
    with about("corpus"):
        plan = trainings.plan(
            owner=owner,
            corpus=corpus,
            start=start,
            epochs=body.epochs,
            seed=body.seed,
            settings=body.settings(),
        )
    return corpus, plan


def _estimate(corpus: Corpus, plan: trainings.Plan, seed: int | None) -> EstimateOut:
    return EstimateOut(
        corpus=corpus.pk,
        model=plan.start.pk,
        characters=corpus.characters,
        hyperparameters=HyperparametersOut(**{**plan.config.as_dict(), "seed": seed}),
        seconds=round(plan.seconds, 1),
        jobs_ahead=plan.jobs_ahead,
    )
