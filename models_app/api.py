"""`/models`: list, get, change, share and delete models; write with them, evaluate and download them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from ninja import Query, Router, Status
from pydantic import Field

from botfactory.disconnect import require_client
from botfactory.rest import idempotency
from botfactory.rest.access import person
from botfactory.rest.errors import bad_value, not_found
from botfactory.rest.paging import PageDict, PageQuery, page_of
from botfactory.rest.schemas import Input, Output, Page, Text, examples
from botfactory.translation import grouped
from models_app import downloads, registry, services, tiers
from models_app.api_parts import BASE, CORPUS, HYPERPARAMETERS, JOB, LABEL, MODEL, MOMENT, REPORT, about
from models_app.base_models import versions
from models_app.generation_api import STREAM, GenerateIn, GenerateQuery, GenerationOut, written
from models_app.models import Tier, TrainedModel
from models_app.sharing import rights as sharing
from models_app.writing import asking

router = Router(tags=["models"])

#: The most characters to evaluate in one request: a second or two for two models on one core.
MAX_EVALUATED: Final = 10_000

_MODEL_EXAMPLE: Final = {
    "id": MODEL,
    "name": "dril",
    "is_base": False,
    "tier": "quick",
    "label": LABEL,
    "corpus": CORPUS,
    "corpus_name": "dril",
    "parent": BASE,
    "parent_name": "base",
    "job": JOB,
    "posts": 2100,
    "characters": 190000,
    "bits_per_character": 2.12,
    "sha256": "0" * 64,
    "stored_bytes": 14150744,
    "created_at": MOMENT,
    "visibility": "unlisted",
    "link": "https://bots.example.org/shared/Zq3mV8dXc1sK0aYw5nLr7uTb2eHf9gJi4oPx6kMvQhE/",
}


class ModelOut(Output):
    """A bot, or the base model."""

    id: uuid.UUID
    name: str
    is_base: bool = Field(description="Whether new models start from it.")
    tier: Tier = Field(description="Its kind of bot. A new model has the tier of its parent.")
    label: str = Field(description="The label to show wherever you show what the model writes.")
    corpus: uuid.UUID | None = Field(description="The posts that it learned; null if they are deleted.")
    corpus_name: str
    parent: uuid.UUID | None = Field(description="The model that it started from; null if that is deleted.")
    parent_name: str
    job: uuid.UUID | None = Field(description="The training that made it.")
    posts: int = Field(description="The number of posts that it learned from.")
    characters: int = Field(description="The number of characters of these posts.")
    bits_per_character: float | None = Field(description="On held-out posts; lower is better.")
    sha256: str = Field(description="The sha256 of its weights.")
    stored_bytes: int
    created_at: datetime
    visibility: Literal["private", "unlisted", "public"] = Field(
        description="Who else can find it: nobody, anyone with the link, or everybody in the gallery."
    )
    link: str | None = Field(
        description="The address where others find it. The last part of an unlisted model's address opens "
        "`/shared/{link}`. Null if the model is private or not yours."
    )

    model_config = examples(_MODEL_EXAMPLE)


class ModelDetailOut(ModelOut):
    """A model with its settings, its epochs and its report card."""

    network: dict[str, Any] = Field(description="The kind and size of the network.")
    training: dict[str, Any] = Field(description="The settings of the training; for a fine-tune, its hyperparameters.")
    history: list[dict[str, Any]] = Field(
        description="Its epochs, or the parts of a fluent training, with their losses in nats per byte or token."
    )
    best_epoch: int | None = Field(description="The epoch with the lowest validation loss, which was kept.")
    seconds: float | None = Field(description="The duration of the training.")
    report: dict[str, Any] | None = Field(
        description="The report card: the shares of new posts, of posts in the person's voice and of real words, for "
        "the bot, the held-out posts and the base model; and `told_apart`, the share of posts that a classifier "
        "correctly calls real or generated (0.5 is guessing), with its standard error. Cards of early versions lack "
        "`told_apart`, and it's null if there are too few posts. Null if there is no card."
    )

    model_config = examples(
        {
            **_MODEL_EXAMPLE,
            "network": {"kind": "glr", "units": 512, "layers": 2},
            "training": HYPERPARAMETERS,
            "history": [{"epoch": 1, "train_loss": 1.51, "validation_loss": 1.47, "best": True}],
            "best_epoch": 1,
            "seconds": 41.5,
            "report": REPORT,
        }
    )


class ModelChangesIn(Input):
    """The changes. Fields that you don't send stay as they are."""

    name: Text | None = Field(
        None,
        min_length=1,
        max_length=80,
        description="The new name.",
        json_schema_extra={"pattern": r"^[^\x00]*[^\s\x00][^\x00]*$"},
    )
    visibility: Literal["private", "unlisted", "public"] | None = Field(
        None, description="Who else can find it. The link of an unlisted model stops working if you change this."
    )

    model_config = examples({"name": "dril, the second"}, {"visibility": "unlisted"}, base=Input.model_config)


def model_out(request: HttpRequest, model: TrainedModel) -> ModelOut:
    """Return the model as lists show it."""
    return ModelOut(**_fields(request, model))


def model_detail_out(request: HttpRequest, model: TrainedModel) -> ModelDetailOut:
    """Return the model with its settings, epochs and report card."""
    return ModelDetailOut(
        **_fields(request, model),
        network=model.network,
        training=model.training,
        history=model.history,
        best_epoch=model.best_epoch,
        seconds=model.seconds,
        report=model.report or None,
    )


def _fields(request: HttpRequest, model: TrainedModel) -> dict[str, Any]:
    same = ("name", "is_base", "tier", "corpus_name", "parent_name", "posts", "characters", "bits_per_character")
    others_find_it_at = model.get_shared_url() if model.owner_id == person(request).pk else ""
    return {
        **{name: getattr(model, name) for name in (*same, "sha256", "stored_bytes", "created_at", "visibility")},
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
    """List your models, newest first. The base model isn't among them; it is their first `parent`."""
    own = services.models_for_user(person(request))
    return page_of(own, query, lambda rows: (model_out(request, model) for model in rows))


class BaseOut(Output):
    """A tier of bots, and the base model that new bots of this tier start from."""

    tier: Tier
    is_offered: bool = Field(description="Whether models of this tier can be trained here.")
    is_default: bool = Field(description="Whether a training takes it that names neither `tier` nor `model`.")
    why_not: str = Field(description='Why it isn\'t offered; "" where it is.')
    model: uuid.UUID | None = Field(description="The base model. Null where the tier has none, or isn't offered.")
    name: str
    stored_bytes: int | None = Field(description="About what a model of this tier takes.")

    model_config = examples(
        {
            "tier": "quick",
            "is_offered": True,
            "is_default": True,
            "why_not": "",
            "model": BASE,
            "name": "base",
            "stored_bytes": 14150744,
        }
    )


class BasesOut(Output):
    data: list[BaseOut]


@router.get("/bases", response=BasesOut, summary="List the base models")
def list_bases(request: HttpRequest) -> BasesOut:
    """The tiers, the default first, each with the base model that new models start from, or why it isn't offered."""
    person(request)
    offered = tiers.offered()
    others = [tier for tier in Tier if tier not in offered]
    return BasesOut(data=[_base_out(tier, offered) for tier in (*offered, *others)])


def _base_out(tier: Tier, offered: list[Tier]) -> BaseOut:
    base = versions.base_model(tier) if tier in offered else None
    return BaseOut(
        tier=tier,
        is_offered=base is not None,
        is_default=tier == offered[0],
        why_not=tiers.why_not(tier),
        model=None if base is None else base.pk,
        name="" if base is None else base.name,
        stored_bytes=None if base is None else base.stored_bytes,
    )


@router.get("/{uuid:model_id}", response=ModelDetailOut, summary="Get a model")
def get_model(request: HttpRequest, model_id: uuid.UUID) -> ModelDetailOut:
    """Get one of your models or the base model, with its settings and report card."""
    return model_detail_out(request, _model(request, model_id))


@router.patch("/{uuid:model_id}", response=ModelDetailOut, summary="Rename or share a model", openapi_extra=_NOT_NOW)
def change_model(request: HttpRequest, model_id: uuid.UUID, body: ModelChangesIn) -> ModelDetailOut:
    """Change the name or the visibility of one of your models. Either all changes are made or none.

    Answers 409 if another of your models has the name or the administrator turned the gallery off, and 422 if nobody
    knows whose posts it learned.
    """
    model = _model(request, model_id, to_change=True)
    with transaction.atomic():
        if body.name is not None:
            with about("name"):
                registry.rename(model, body.name)
        if body.visibility is not None:
            sharing.share(model, body.visibility)
    return model_detail_out(request, model)


@router.post("/{uuid:model_id}/link", response=ModelDetailOut, summary="Renew a link", openapi_extra=_NOT_NOW)
def renew_link(request: HttpRequest, model_id: uuid.UUID) -> ModelDetailOut:
    """Give one of your unlisted models a new link. The old one stops working. Answers 409 if it has no link."""
    return model_detail_out(request, sharing.renew_link(_model(request, model_id, to_change=True)))


@router.delete("/{uuid:model_id}", response={204: None}, summary="Delete a model", openapi_extra=_NOT_NOW)
def delete_model(request: HttpRequest, model_id: uuid.UUID) -> Status[None]:
    """Delete one of your models with its files and everything it wrote. Models that started from it stay."""
    registry.delete(_model(request, model_id, to_change=True))
    return Status(204, None)


@router.post("/{uuid:model_id}/generate", response=GenerationOut, summary="Write with a model", openapi_extra=STREAM)
@idempotency.slow
def generate(
    request: HttpRequest, model_id: uuid.UUID, body: GenerateIn, query: Query[GenerateQuery]
) -> GenerationOut | Any:
    """Write posts with one of your models or the base model, and keep them.

    With `stream=1`, each post is sent as soon as it is written, in any order. If you close the stream early, nothing is
    kept.
    """
    return written(request, _model(request, model_id), body, query)


class EvaluateIn(Input):
    """Posts to evaluate the model on. Use posts that it hasn't learned."""

    posts: list[Annotated[Text, Field(min_length=1)]] = Field(
        min_length=1,
        max_length=MAX_EVALUATED,
        description=f"At most {MAX_EVALUATED:,} characters in total.",
    )

    model_config = examples({"posts": ["just had the best coffee of my life"]}, base=Input.model_config)

    def checked(self) -> list[str]:
        characters = sum(map(len, self.posts))
        if characters > MAX_EVALUATED:
            message = _(
                "These posts have %(count)s characters, but one request can have at most %(most)s. Send fewer, or "
                "evaluate a whole file with `manage.py evaluate`."
            )
            raise bad_value("posts", message % {"count": grouped(characters), "most": grouped(MAX_EVALUATED)})
        return self.posts


class EvaluationOut(Output):
    """How well a model predicts posts, including the end of each post. Fewer bits are better."""

    model: uuid.UUID
    posts: int
    characters: int
    bits_per_character: float
    base: uuid.UUID | None = Field(
        description="The base model that it comes from; null for a base model, or if that is deleted."
    )
    base_bits_per_character: float | None

    model_config = examples(
        {
            "model": MODEL,
            "posts": 1,
            "characters": 35,
            "bits_per_character": 2.12,
            "base": BASE,
            "base_bits_per_character": 2.61,
        }
    )


@router.post(
    "/{uuid:model_id}/evaluate",
    response=EvaluationOut,
    summary="Evaluate a model",
    openapi_extra={"responses": {503: {}}},
)
@idempotency.slow
def evaluate_model(request: HttpRequest, model_id: uuid.UUID, body: EvaluateIn) -> EvaluationOut:
    """Get the bits per character on your posts, for one of your models and the base model that it comes from."""
    model, posts = _model(request, model_id), body.checked()
    found = asking.evaluate(model=model, owner=person(request), posts=posts, proceed=require_client(request))
    return EvaluationOut(
        model=model_id,
        posts=found.model.posts,
        characters=found.model.characters,
        bits_per_character=round(found.model.bits_per_character, 4),
        base=None if found.base is None else found.base.pk,
        base_bits_per_character=None if found.by_base is None else round(found.by_base.bits_per_character, 4),
    )


class DownloadQuery(Input):
    format: Text = Field(
        "native",
        description="; ".join(f"{name}: {form.title}, {form.hint}" for name, form in downloads.FORMATS.items()),
        json_schema_extra={"enum": list(downloads.FORMATS)},
    )


_FILE: Final = {
    "responses": {
        200: {
            "description": "The file. It includes a model card, README.md.",
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in {form.media_type for form in downloads.FORMATS.values()}
            },
        },
        304: {"description": "The file hasn't changed since the ETag that you sent in If-None-Match."},
    }
}


@router.get("/{uuid:model_id}/download", summary="Download a model", openapi_extra=_FILE)
def download_model(request: HttpRequest, model_id: uuid.UUID, query: Query[DownloadQuery]) -> Any:
    """Download one of your models: its weights, settings and model card, without the posts."""
    if query.format not in downloads.FORMATS:
        raise bad_value(
            "format", _("There is no such format. Choose one of: %(names)s.") % {"names": ", ".join(downloads.FORMATS)}
        )
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


def _model(request: HttpRequest, model_id: uuid.UUID, *, to_change: bool = False) -> TrainedModel:
    """Return the model if the person may see it or, with `to_change`, change it. Raises the 404 answer otherwise."""
    user = person(request)
    try:
        model = services.model_for_user(user, model_id)
    except TrainedModel.DoesNotExist:
        raise not_found("model") from None
    if to_change and sharing.Right.CHANGE not in sharing.rights_of(user, model):
        raise not_found("model")
    return model
