"""`/models` and `/generations`: trained, written with, renamed, deleted; and `POST /jobs`, which queues a training."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from ninja import Query, Router, Status
from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from botfactory.accounts.models import User
from botfactory.jobs.api import JobOut, told_one
from botfactory.jobs.api import router as jobs
from botfactory.rest import once
from botfactory.rest.access import person
from botfactory.rest.errors import ApiError, answer_to, bad_value, not_found, register_errors, status_of
from botfactory.rest.paging import PageDict, PageQuery, page_of
from botfactory.rest.schemas import SERVER_SENT, VISIBLE, Asked, Page, Text, Told, examples
from models_app import downloads, live, registry, services, sharing
from models_app.ml.config import LONGEST_BANNED, MOST_BANNED, SamplingConfig
from models_app.ml.errors import BadSampling, LearningError
from models_app.models import Generation, TrainedModel
from tweets import services as corpora
from tweets.models import Corpus

router = Router(tags=["models"])
generations = Router(tags=["generations"])
register_errors(
    {
        services.ModelError: 422,
        services.ModelRetired: 409,
        registry.NoBaseModel: 409,
        registry.NameTaken: 409,
        registry.BadName: 422,
        sharing.SharingError: 409,
        sharing.BasisUnknown: 422,
        # A model on disk is damaged: nothing that the caller could send differently.
        LearningError: 500,
        BadSampling: 422,
    }
)

#: Characters that are measured in one request: a second or two for two models on one core.
MOST_EVALUATED: Final = 10_000

_MODEL: Final = "9b1e1d52-0f0c-4a35-8a77-0a5d7a3f6c11"
_BASE: Final = "5f0c9f1e-7a39-4b0e-9d51-3a1f6f0b2c44"
_CORPUS: Final = "4a7a5f0e-52b0-4a0f-8a71-3f6a5bd7a9d0"
_JOB: Final = "0d8c1a40-3f6e-4d39-a3c1-d1d2a0c4b0a1"
_MOMENT: Final = "2026-11-25T12:00:00.000Z"


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


class TrainingIn(Asked):
    """What is to be trained. Whatever is "auto", or not sent, is chosen to fit the corpus."""

    kind: Literal["fine_tune"]
    corpus: uuid.UUID = Field(description="The corpus that is learned.")
    model: uuid.UUID | None = Field(None, description="The model to start from; else the base model.")
    name: Text = Field("", max_length=80, description="What the new model is called; else as its corpus.")
    epochs: Annotated[int | None, _whole(services.FEWEST_EPOCHS, services.MOST_EPOCHS), _Auto()] = None
    batch_size: Annotated[int | None, _whole(1, 4096), _Auto()] = None
    sequence_length: Annotated[int | None, _whole(1, 1024), _Auto()] = None
    learning_rate: Annotated[float | None, Field(gt=0, le=1, strict=True), _Auto()] = None
    final_learning_rate: Annotated[float | None, Field(ge=0, le=1, strict=True), _Auto()] = None
    warmup_steps: Annotated[int | None, _whole(0, 1_000_000), _Auto()] = None
    dropout: Annotated[float | None, Field(ge=0, le=0.9, strict=True), _Auto()] = None
    clip_norm: Annotated[float | None, Field(gt=0, le=1000, strict=True), _Auto()] = None
    beta_2: Annotated[float | None, Field(ge=0, le=0.99999, strict=True), _Auto()] = None
    seed: Annotated[int | None, _whole(0, 2**31 - 1), _Auto()] = None

    model_config = examples(
        {"kind": "fine_tune", "corpus": _CORPUS, "name": "dril", "epochs": "auto", "learning_rate": 0.0005},
        base=Asked.model_config,
    )

    def settings(self) -> dict[str, Any]:
        """What the caller has set, by the names of FineTuneConfig."""
        values = {name: getattr(self, name) for name in services.SETTINGS}
        return {name: value for name, value in values.items() if value is not None}


class HyperparametersOut(Told):
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
    seed: int | None = Field(description="Null where it will be chosen by chance.")


_HYPERPARAMETERS: Final = {
    "epochs": 3,
    "batch_size": 32,
    "sequence_length": 64,
    "learning_rate": 0.0005,
    "final_learning_rate": 0.01,
    "warmup_steps": 25,
    "dropout": 0.2,
    "clip_norm": 1.0,
    "beta_2": 0.99,
    "seed": 1,
}
_ESTIMATE: Final = {
    "corpus": _CORPUS,
    "model": _BASE,
    "characters": 190000,
    "hyperparameters": _HYPERPARAMETERS,
    "seconds": 41.5,
    "jobs_ahead": 0,
}


class EstimateOut(Told):
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
            "id": _JOB,
            "kind": "fine_tune",
            "title": "Train dril",
            "state": "queued",
            "corpus": _CORPUS,
            "details": {
                "model": _BASE,
                "model_name": "base",
                "name": "dril",
                "hyperparameters": _HYPERPARAMETERS,
            },
            "created_at": _MOMENT,
            "available_at": _MOMENT,
            "started_at": None,
            "finished_at": None,
            "estimated_finish": None,
            "queue_position": 1,
            "waits_for": "turn",
            "progress": None,
            "best_checkpoint": None,
            "result": None,
            "error": None,
            "stop_requested": False,
            "attempt": 0,
            "last_sequence": 1,
            "estimate": _ESTIMATE,
        }
    )


# The address of jobs, to which the kinds are submitted; jobs themselves know no models.
@jobs.post("", response={202: TrainingJobOut}, summary="Train a model")
def create_job(request: HttpRequest, body: TrainingIn) -> Status[TrainingJobOut]:
    """A training is queued; its `result` will name the model. `details` has the hyperparameters that were chosen.

    409 at a limit, and while the corpus is being imported.
    """
    owner = person(request)
    corpus, plan = _planned(owner, body)
    with about("corpus"):
        job = services.fine_tune(
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


@jobs.post("/estimate", response=EstimateOut, summary="What a training comes to")
def estimate_job(request: HttpRequest, body: TrainingIn) -> EstimateOut:
    """For the body that would queue it: the hyperparameters, and about how long it takes. Nothing is queued."""
    corpus, plan = _planned(person(request), body)
    return _estimate(corpus, plan, body.seed)


def _planned(owner: User, body: TrainingIn) -> tuple[Corpus, services.Plan]:
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
        plan = services.plan(
            owner=owner,
            corpus=corpus,
            start=start,
            epochs=services.DEFAULT_EPOCHS if body.epochs is None else body.epochs,
            seed=body.seed,
            settings=body.settings(),
        )
    return corpus, plan


def _estimate(corpus: Corpus, plan: services.Plan, seed: int | None) -> EstimateOut:
    return EstimateOut(
        corpus=corpus.pk,
        model=plan.start.pk,
        characters=corpus.characters,
        hyperparameters=HyperparametersOut(**{**plan.config.as_dict(), "seed": seed}),
        seconds=round(plan.seconds, 1),
        jobs_ahead=plan.jobs_ahead,
    )


class GenerateIn(Asked):
    """How posts are written. The same seed and settings give the same posts."""

    n: int = Field(10, ge=1, le=100, strict=True, description="How many.")
    temperature: float = Field(0.8, ge=0, le=2, strict=True, description="Low repeats itself, high misspells.")
    top_k: int = Field(0, ge=0, le=256, strict=True, description="Draw among the k likeliest only; 0: all.")
    top_p: float = Field(1.0, gt=0, le=1, strict=True, description="Of these, the likeliest of this probability.")
    prompt: Text = Field("", max_length=280, description="How each post begins.")
    seed: int | None = Field(None, ge=0, le=2**32 - 1, strict=True, description="Null: by chance, and told.")
    max_characters: int = Field(280, ge=1, le=4000, strict=True, description="Of a post, the prompt included.")
    banned: list[Annotated[Text, Field(min_length=1, max_length=LONGEST_BANNED, json_schema_extra=VISIBLE)]] = Field(
        default=[], max_length=MOST_BANNED, description="Words and phrases that no post holds."
    )
    copy_guard: bool = Field(True, strict=True, description="No post is too close to one that was learned.")
    mask_mentions: bool = Field(True, strict=True, description="No post names anybody by @name.")

    model_config = examples({"n": 5, "temperature": 0.8, "prompt": "I love"}, base=Asked.model_config)

    def sampling(self) -> SamplingConfig:
        values = self.model_dump(exclude={"n", "banned"})
        banned = dict.fromkeys(" ".join(entry.split()) for entry in self.banned)
        try:
            return SamplingConfig(**values, count=self.n, banned=tuple(banned))
        except ValueError as error:
            # What the fields cannot say: a banned word of nothing but space.
            raise bad_value("banned", str(error)) from None


class GenerationOut(Told):
    """Posts that a model wrote for you."""

    id: uuid.UUID
    model: uuid.UUID
    label: str = Field(description="Show it wherever you show the posts.")
    posts: list[str]
    missing: int = Field(description="How many fewer these are than were asked for.")
    refused: dict[str, int | None] = Field(
        description="How many more were drawn and refused, by reason. copies is null where nothing was there to "
        "compare with."
    )
    settings: dict[str, Any] = Field(description="How they were asked for, with the seed.")
    seconds: float
    created_at: datetime

    model_config = examples(
        {
            "id": "c5b3f7f0-93b1-4f0b-8f0c-6f2f8f4f2c70",
            "model": _MODEL,
            "label": "AI parody of @dril.bsky.social, not by @dril.bsky.social.",
            "posts": ["I love coffee more than i love being on time"],
            "missing": 0,
            "refused": {"copies": 0, "banned": 0, "unfinished": 1, "empty": 0},
            "settings": {
                "n": 1,
                "temperature": 0.8,
                "top_k": 0,
                "top_p": 1.0,
                "prompt": "I love",
                "seed": 7,
                "max_characters": 280,
                "banned": [],
                "copy_guard": True,
                "mask_mentions": True,
            },
            "seconds": 0.21,
            "created_at": _MOMENT,
        }
    )


def told_generation(generation: Generation) -> GenerationOut:
    """The posts as the API shows them."""
    settings = dict(generation.sampling)
    return GenerationOut(
        id=generation.pk,
        model=generation.model_id,
        label=generation.model.parody_label,
        posts=generation.posts,
        missing=generation.missing,
        refused=generation.refused,
        settings={"n": settings.pop("count", None), **settings},
        seconds=round(generation.seconds, 3),
        created_at=generation.created_at,
    )


class PostOut(Told):
    """A post that has just been written, in a stream."""

    post: str
    label: str = Field(description="Show it wherever you show the post.")


class GenerateQuery(Asked):
    stream: Literal["0", "1"] = Field(
        "0", description="1: server-sent events, a `post` as each is written, then the `generation` with all of them."
    )


STREAM: Final = {
    "responses": {
        200: {
            "content": {
                "text/event-stream": {
                    "schema": SERVER_SENT,
                    "example": 'event: post\ndata: {"post": "I love coffee", "label": "AI parody of @dril.bsky.social, '
                    'not by @dril.bsky.social."}\n\n',
                }
            }
        }
    }
}


@router.post("/{uuid:model_id}/generate", response=GenerationOut, summary="Let a model write", openapi_extra=STREAM)
@once.slow
def generate(
    request: HttpRequest, model_id: uuid.UUID, body: GenerateIn, query: Query[GenerateQuery]
) -> GenerationOut | Any:
    """New posts by one of your models or the base model, at once; they are kept as those of its page are.

    With `stream=1` each is sent as it is written, in no order; what nobody listens to any more is not kept.
    """
    return written(request, _model(request, model_id), body, query)


def written(
    request: HttpRequest, model: TrainedModel, body: GenerateIn, query: GenerateQuery
) -> GenerationOut | StreamingHttpResponse:
    """What the model writes for who asks: all of it, or a stream of posts."""
    owner, sampling = person(request), body.sampling()
    with about("prompt"):
        if query.stream == "1":
            return _stream(request, model, owner, sampling)
        return told_generation(services.generate(model=model, owner=owner, sampling=sampling))


def _stream(request: HttpRequest, model: TrainedModel, owner: User, sampling: SamplingConfig) -> StreamingHttpResponse:
    if once.HEADER in request.headers:
        message = f"A stream is not kept, so it cannot be had again by its key: leave out {once.HEADER}, or stream."
        raise ApiError(422, "stream_not_kept", message, param=once.HEADER)
    services.require_guards(owner, model, sampling)
    services.require_writable(model, sampling)
    label = model.parody_label

    def write(on_post: Callable[[str], None], proceed: Callable[[], None]) -> Generation:
        return services.generate(model=model, owner=owner, sampling=sampling, on_post=on_post, proceed=proceed)

    return StreamingHttpResponse(
        live.follow(
            write,
            post_data=lambda post: PostOut(post=post, label=label).model_dump_json(),
            generation_data=lambda generation: told_generation(generation).model_dump_json(),
            error_data=lambda error: answer_to(request, error).content.decode(),
        ),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _model(request: HttpRequest, model_id: uuid.UUID, *, to_change: bool = False) -> TrainedModel:
    """The model that the person may see; with `to_change` only if it is theirs."""
    user = person(request)
    try:
        model = services.model_for_user(user, model_id)
    except TrainedModel.DoesNotExist:
        raise not_found("model") from None
    if to_change and sharing.Right.CHANGE not in sharing.rights_of(user, model):
        raise not_found("model")
    return model


_MODEL_EXAMPLE: Final = {
    "id": _MODEL,
    "name": "dril",
    "is_base": False,
    "label": "AI parody of @dril.bsky.social, not by @dril.bsky.social.",
    "corpus": _CORPUS,
    "corpus_name": "dril",
    "parent": _BASE,
    "parent_name": "base",
    "job": _JOB,
    "posts": 2100,
    "characters": 190000,
    "bits_per_character": 2.12,
    "sha256": "0" * 64,
    "stored_bytes": 14150744,
    "created_at": _MOMENT,
    "visibility": "unlisted",
    "link": "https://bots.example.org/shared/Zq3mV8dXc1sK0aYw5nLr7uTb2eHf9gJi4oPx6kMvQhE/",
}


class ModelOut(Told):
    """A network that learned somebody's posts, or the base model."""

    id: uuid.UUID
    name: str
    is_base: bool = Field(description="Whether new models start from it.")
    label: str = Field(description="Show it wherever you show what the model writes.")
    corpus: uuid.UUID | None = Field(description="What it learned; null where that is deleted.")
    corpus_name: str
    parent: uuid.UUID | None = Field(description="What it started from; null where that is deleted.")
    parent_name: str
    job: uuid.UUID | None = Field(description="The training.")
    posts: int = Field(description="That it learned from.")
    characters: int = Field(description="Of these posts.")
    bits_per_character: float | None = Field(description="Of posts that were held back; fewer are better.")
    sha256: str = Field(description="Of its weights.")
    stored_bytes: int
    created_at: datetime
    visibility: Literal["private", "unlisted", "public"] = Field(
        description="Who finds it beside you: nobody, whoever has the link, or everybody in the gallery."
    )
    link: str | None = Field(
        description="Where others find it; of an unlisted one the last part opens `/shared/{link}`. Null where it is "
        "private or not yours."
    )

    model_config = examples(_MODEL_EXAMPLE)


class ModelDetailOut(ModelOut):
    """A model, what it was trained with, and how good it is."""

    network: dict[str, Any] = Field(description="Its kind and size.")
    training: dict[str, Any] = Field(description="What it was trained with; of a fine-tune the hyperparameters.")
    history: list[dict[str, Any]] = Field(description="Its epochs with their losses.")
    best_epoch: int | None = Field(description="The epoch that was kept.")
    seconds: float | None = Field(description="How long it was trained.")
    report: dict[str, Any] | None = Field(
        description="The report card: shares of new posts, of the voice and of real words, for the bot, for posts that "
        "were held back and for the base model. Null where none was made."
    )

    model_config = examples(
        {
            **_MODEL_EXAMPLE,
            "network": {"kind": "glr", "units": 512, "layers": 2},
            "training": _HYPERPARAMETERS,
            "history": [{"epoch": 1, "train_loss": 1.51, "validation_loss": 1.47, "best": True}],
            "best_epoch": 1,
            "seconds": 41.5,
            "report": {
                "bits_per_character": 2.12,
                "base_bits_per_character": 2.61,
                "novelty": {"bot": 0.99, "held_out": 1.0, "base": 1.0},
                "voice": {"bot": 0.81, "held_out": 0.9, "base": 0.1},
                "real_words": {"bot": 0.97, "held_out": 0.98, "base": 0.96},
            },
        }
    )


class ModelChangesIn(Asked):
    """What is not sent stays as it is."""

    name: Text | None = Field(
        None,
        min_length=1,
        max_length=80,
        description="The new name, without a slash.",
        json_schema_extra={"pattern": r"^[^/\x00]*[^\s/\x00][^/\x00]*$"},
    )
    visibility: Literal["private", "unlisted", "public"] | None = Field(
        None, description="Who finds it beside you. An unlisted one has a link, which dies when it becomes another."
    )

    model_config = examples({"name": "dril, the second"}, {"visibility": "unlisted"}, base=Asked.model_config)


def told(request: HttpRequest, model: TrainedModel) -> ModelOut:
    """The model as lists show it."""
    return ModelOut(**_told(request, model))


def told_in_full(request: HttpRequest, model: TrainedModel) -> ModelDetailOut:
    return ModelDetailOut(
        **_told(request, model),
        network=model.network,
        training=model.training,
        history=model.history,
        best_epoch=model.best_epoch,
        seconds=model.seconds,
        report=model.report or None,
    )


def _told(request: HttpRequest, model: TrainedModel) -> dict[str, Any]:
    same = ("name", "is_base", "corpus_name", "parent_name", "posts", "characters", "bits_per_character", "sha256")
    others_find_it_at = model.get_shared_url() if model.owner_id == person(request).pk else ""
    return {
        **{name: getattr(model, name) for name in (*same, "stored_bytes", "created_at", "visibility")},
        "id": model.pk,
        "label": model.parody_label,
        "corpus": model.corpus_id,
        "parent": model.parent_id,
        "job": model.job_id,
        "link": request.build_absolute_uri(others_find_it_at) if others_find_it_at else None,
    }


_NOT_NOW: Final[dict[str, Any]] = {"responses": {409: {}}}


@router.get("", response=Page[ModelOut], summary="List your models")
def list_models(request: HttpRequest, query: Query[PageQuery]) -> PageDict:
    """Your models, the newest first. The base model is not among them: its id is the `parent` of those it began."""
    own = services.models_for_user(person(request))
    return page_of(own, query, lambda rows: (told(request, model) for model in rows))


@router.get("/{uuid:model_id}", response=ModelDetailOut, summary="Get a model")
def get_model(request: HttpRequest, model_id: uuid.UUID) -> ModelDetailOut:
    """One of your models or the base model, with its report card and what it was trained with."""
    return told_in_full(request, _model(request, model_id))


@router.patch("/{uuid:model_id}", response=ModelDetailOut, summary="Rename or share a model", openapi_extra=_NOT_NOW)
def change_model(request: HttpRequest, model_id: uuid.UUID, body: ModelChangesIn) -> ModelDetailOut:
    """One of your models has another name, or others find it; both or neither.

    409 if another of yours has the name, or the administrator has switched the gallery off; 422 where nothing tells
    whose posts it has learned.
    """
    model = _model(request, model_id, to_change=True)
    with transaction.atomic():
        if body.name is not None:
            with about("name"):
                registry.rename(model, body.name)
        if body.visibility is not None:
            sharing.share(model, body.visibility)
    return told_in_full(request, model)


@router.post("/{uuid:model_id}/link", response=ModelDetailOut, summary="Renew a link", openapi_extra=_NOT_NOW)
def renew_link(request: HttpRequest, model_id: uuid.UUID) -> ModelDetailOut:
    """One of your unlisted models has another link: the one before opens nothing any more. 409 where it has none."""
    return told_in_full(request, sharing.renew_link(_model(request, model_id, to_change=True)))


@router.delete("/{uuid:model_id}", response={204: None}, summary="Delete a model", openapi_extra=_NOT_NOW)
def delete_model(request: HttpRequest, model_id: uuid.UUID) -> Status[None]:
    """One of your models is gone, with its files and everything it wrote. Models that started from it stay."""
    registry.delete(_model(request, model_id, to_change=True))
    return Status(204, None)


class EvaluateIn(Asked):
    """Posts that the model is measured by: some that it has not learned."""

    posts: list[Annotated[Text, Field(min_length=1)]] = Field(
        min_length=1,
        max_length=MOST_EVALUATED,
        description=f"At most {MOST_EVALUATED:,} characters in all, so that it is answered in seconds.",
    )

    model_config = examples({"posts": ["just had the best coffee of my life"]}, base=Asked.model_config)

    def checked(self) -> list[str]:
        characters = sum(map(len, self.posts))
        if characters > MOST_EVALUATED:
            message = (
                f"These posts have {characters:,} characters, and {MOST_EVALUATED:,} are the most in one request: send "
                "fewer, or measure a whole file with `manage.py evaluate`."
            )
            raise bad_value("posts", message)
        return self.posts


class EvaluationOut(Told):
    """How well a model foresees posts, end of each post included: fewer bits are better."""

    model: uuid.UUID
    posts: int
    characters: int
    bits_per_character: float
    base: uuid.UUID | None = Field(description="The base model that it comes from; null where that is gone, or itself.")
    base_bits_per_character: float | None

    model_config = examples(
        {
            "model": _MODEL,
            "posts": 1,
            "characters": 35,
            "bits_per_character": 2.12,
            "base": _BASE,
            "base_bits_per_character": 2.61,
        }
    )


@router.post("/{uuid:model_id}/evaluate", response=EvaluationOut, summary="Measure a model")
@once.slow
def evaluate_model(request: HttpRequest, model_id: uuid.UUID, body: EvaluateIn) -> EvaluationOut:
    """Bits per character of your posts, by one of your models and by the base model that it comes from."""
    found = services.evaluate(_model(request, model_id), body.checked())
    return EvaluationOut(
        model=model_id,
        posts=found.model.posts,
        characters=found.model.characters,
        bits_per_character=round(found.model.bits_per_character, 4),
        base=None if found.base is None else found.base.pk,
        base_bits_per_character=None if found.by_base is None else round(found.by_base.bits_per_character, 4),
    )


class DownloadQuery(Asked):
    format: Text = Field(
        "native",
        description="; ".join(f"{name}: {form.title}, {form.hint}" for name, form in downloads.FORMATS.items()),
        json_schema_extra={"enum": list(downloads.FORMATS)},
    )


_FILE: Final = {
    "responses": {
        200: {
            "description": "The file. README.md in it is its model card.",
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in {form.media_type for form in downloads.FORMATS.values()}
            },
        },
        304: {"description": "It is the one whose ETag was sent in If-None-Match."},
    }
}


@router.get("/{uuid:model_id}/download", summary="Download a model", openapi_extra=_FILE)
def download_model(request: HttpRequest, model_id: uuid.UUID, query: Query[DownloadQuery]) -> Any:
    """One of your models as a file. It holds the weights and how they came about, and nothing of the posts."""
    if query.format not in downloads.FORMATS:
        raise bad_value("format", f"There is no such format; there are {', '.join(downloads.FORMATS)}.")
    file = downloads.download(_model(request, model_id, to_change=True), query.format)
    headers = {"ETag": f'"{file.sha256}"', "Cache-Control": "private, no-cache"}
    known: HttpResponse | None = get_conditional_response(request, etag=headers["ETag"])
    if known is not None:
        file.file.close()
        for name, value in headers.items():
            known[name] = value
        return known
    headers |= {
        "Content-Length": str(file.size),
        "Content-Disposition": content_disposition_header(True, file.name) or "",
    }
    return StreamingHttpResponse(file.chunks(), content_type=file.media_type, headers=headers)


class GenerationFilters(PageQuery):
    model: uuid.UUID | None = Field(None, description="Only what this model wrote.")


@generations.get("", response=Page[GenerationOut], summary="List what models wrote for you")
def list_generations(request: HttpRequest, query: Query[GenerationFilters]) -> PageDict:
    """What models wrote for you, the newest first; of one model, if asked."""
    own = services.generations_for_user(person(request))
    rows = own if query.model is None else own.filter(model=query.model)
    return page_of(rows, query, lambda found: map(told_generation, found), among=own)


@generations.get("/{uuid:generation_id}", response=GenerationOut, summary="Get what a model wrote")
def get_generation(request: HttpRequest, generation_id: uuid.UUID) -> GenerationOut:
    """Posts that a model wrote for you once."""
    try:
        return told_generation(services.generation_for_user(person(request), generation_id))
    except Generation.DoesNotExist:
        raise not_found("generation") from None


@contextmanager
def about(param: str) -> Iterator[None]:
    """What a service says against it is said of this field."""
    try:
        yield
    except (corpora.CorpusError, services.ModelRetired, registry.NameTaken, BadSampling) as error:
        raise ApiError(status_of(error) or 422, error.code, str(error), param=param) from None
