"""The API under `/gallery` and `/shared`: models that others share. The person's own are under `/models`."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Literal

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from botfactory.rest import idempotency
from botfactory.rest.access import person
from botfactory.rest.errors import not_found
from botfactory.rest.paging import PageDict, PageQuery, page_of
from botfactory.rest.schemas import Output, Page, Text, examples
from models_app.api.generation import STREAM, GenerateIn, GenerateQuery, GenerationOut, written
from models_app.api.parts import ABOUT_PEOPLE, LABEL, MODEL, MOMENT, REPORT, TOLD_BY_PEOPLE, told_by_people
from models_app.bots.rows import Tier, TrainedModel
from models_app.gallery import finding
from models_app.sharing import rights as sharing
from models_app.sharing import tags

gallery = Router(tags=["gallery"])
shared = Router(tags=["gallery"])

_SHARED: Final = {
    "id": MODEL,
    "name": "dril",
    "label": LABEL,
    "basis": "public",
    "tier": "quick",
    "bits_per_character": 2.12,
    "tags": ["dad-jokes"],
    "created_at": MOMENT,
}


class SharedModelOut(Output):
    """What others can see of a model."""

    id: uuid.UUID
    name: str
    label: str = Field(description="The label to show wherever you show what the model writes.")
    basis: Literal["own", "permission", "public"] | None = Field(
        description="Why its owner may use the posts: they are their own, the author permitted it, or the author is a "
        "public figure."
    )
    tier: Tier = Field(description="Its kind of bot.")
    bits_per_character: float | None = Field(description="On held-out posts; lower is better.")
    tags: list[str] = Field(description="Words by which people find it in the gallery.")
    created_at: datetime

    model_config = examples(_SHARED)


class SharedModelDetailOut(SharedModelOut):
    """A shared model with its report card and sample posts."""

    report: dict[str, Any] | None = Field(
        description="The figures of its report card: the shares of new posts, of posts in the person's voice and of "
        "real words, and how often its posts are told apart from real ones (0.5 is guessing)."
    )
    told_apart_by_people: dict[str, Any] | None = Field(description=ABOUT_PEOPLE)
    samples: list[str] = Field(
        description="Posts that it wrote at the end of its training or, without one, when it was shared."
    )

    model_config = examples(
        {
            **_SHARED,
            "report": REPORT,
            "told_apart_by_people": TOLD_BY_PEOPLE,
            "samples": ["just had the best coffee of my life"],
        }
    )


def shared_out(model: TrainedModel) -> SharedModelOut:
    """Return the model as lists show it."""
    return SharedModelOut(**_fields(model))


def shared_detail_out(model: TrainedModel) -> SharedModelDetailOut:
    """Return the model with its report card and sample posts."""
    return SharedModelDetailOut(
        **_fields(model),
        report=sharing.figures_of(model),
        told_apart_by_people=told_by_people(model),
        samples=sharing.samples_of(model),
    )


def _fields(model: TrainedModel) -> dict[str, Any]:
    return {
        "id": model.pk,
        "name": model.name,
        "label": model.parody_label,
        "basis": sharing.basis_of(model) or None,
        "tier": model.tier,
        "bits_per_character": model.bits_per_character,
        "tags": tags.of(model),
        "created_at": model.created_at,
    }


class GalleryQuery(PageQuery):
    q: Text = Field("", max_length=200, description="Words in the name, in a tag or in the account of the label.")
    tag: Text = Field("", max_length=200, description="A tag that the models have.")


@gallery.get("", response=Page[SharedModelOut], summary="List the gallery")
def list_gallery(request: HttpRequest, query: Query[GalleryQuery]) -> PageDict:
    """List the models in the gallery, newest first. Empty if the administrator turned the gallery off."""
    everything = sharing.gallery_for_user(person(request))
    found = finding.find(everything, words=query.q, tag=query.tag)
    return page_of(found, query, lambda rows: map(shared_out, rows), among=everything)


@gallery.get("/{uuid:model_id}", response=SharedModelDetailOut, summary="Get a model in the gallery")
def get_public_model(request: HttpRequest, model_id: uuid.UUID) -> SharedModelDetailOut:
    """Get a model in the gallery, or one of yours as others would see it."""
    return shared_detail_out(_found(lambda: sharing.shared_for_user(person(request), model_id)))


@gallery.post(
    "/{uuid:model_id}/generate",
    response=GenerationOut,
    summary="Write with a model in the gallery",
    openapi_extra=STREAM,
)
@idempotency.slow
def generate_by_public_model(
    request: HttpRequest, model_id: uuid.UUID, body: GenerateIn, query: Query[GenerateQuery]
) -> GenerationOut | Any:
    """Write posts with a model in the gallery. Only its owner can turn off its guards."""
    return written(request, _found(lambda: sharing.shared_for_user(person(request), model_id)), body, query)


@shared.get("/{str:link}", response=SharedModelDetailOut, summary="Get a model by its link")
def get_unlisted_model(request: HttpRequest, link: str) -> SharedModelDetailOut:
    """Get the model with this link: the last part of the address that its owner gave you."""
    return shared_detail_out(_found(lambda: sharing.shared_by_link(person(request), link)))


@shared.post(
    "/{str:link}/generate", response=GenerationOut, summary="Write with a model by its link", openapi_extra=STREAM
)
@idempotency.slow
def generate_by_unlisted_model(
    request: HttpRequest, link: str, body: GenerateIn, query: Query[GenerateQuery]
) -> GenerationOut | Any:
    """Write posts with the model that has this link."""
    return written(request, _found(lambda: sharing.shared_by_link(person(request), link)), body, query)


def _found(find: Callable[[], TrainedModel]) -> TrainedModel:
    try:
        return find()
    except TrainedModel.DoesNotExist:
        raise not_found("model") from None
