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
from models_app.api_parts import LABEL, MODEL, MOMENT, REPORT
from models_app.generation_api import STREAM, GenerateIn, GenerateQuery, GenerationOut, written
from models_app.models import TrainedModel
from models_app.sharing import rights as sharing

gallery = Router(tags=["gallery"])
shared = Router(tags=["gallery"])

_SHARED: Final = {
    "id": MODEL,
    "name": "dril",
    "label": LABEL,
    "basis": "public",
    "bits_per_character": 2.12,
    "created_at": MOMENT,
}


class SharedModelOut(Output):
    """What others may see of a model."""

    id: uuid.UUID
    name: str
    label: str = Field(description="Show it wherever you show what the model writes.")
    basis: Literal["own", "permission", "public"] | None = Field(
        description="Why its owner may use the posts: their own, by permission, or of a public figure."
    )
    bits_per_character: float | None = Field(description="Of posts that were held back; fewer are better.")
    created_at: datetime

    model_config = examples(_SHARED)


class SharedModelDetailOut(SharedModelOut):
    """A model of somebody else, with how good it is and how it writes."""

    report: dict[str, Any] | None = Field(
        description="The figures of its report card: shares of new posts, of the voice and of real words."
    )
    samples: list[str] = Field(description="Posts that it wrote after its best epoch.")

    model_config = examples(
        {
            **_SHARED,
            "report": REPORT,
            "samples": ["just had the best coffee of my life"],
        }
    )


def told(model: TrainedModel) -> SharedModelOut:
    return SharedModelOut(**_told(model))


def told_in_full(model: TrainedModel) -> SharedModelDetailOut:
    return SharedModelDetailOut(**_told(model), report=sharing.figures_of(model), samples=sharing.samples_of(model))


def _told(model: TrainedModel) -> dict[str, Any]:
    return {
        "id": model.pk,
        "name": model.name,
        "label": model.parody_label,
        "basis": sharing.basis_of(model) or None,
        "bits_per_character": model.bits_per_character,
        "created_at": model.created_at,
    }


class GalleryQuery(PageQuery):
    q: Text = Field("", max_length=200, description="Words in the name, or of the account in the label.")


@gallery.get("", response=Page[SharedModelOut], summary="List the gallery")
def list_gallery(request: HttpRequest, query: Query[GalleryQuery]) -> PageDict:
    """The models that people here show to everybody, the newest first. Empty where the administrator has no gallery."""
    everything = sharing.gallery_for_user(person(request))
    found = sharing.searched(everything, query.q)
    return page_of(found, query, lambda rows: map(told, rows), among=everything)


@gallery.get("/{uuid:model_id}", response=SharedModelDetailOut, summary="Get a model of the gallery")
def get_public_model(request: HttpRequest, model_id: uuid.UUID) -> SharedModelDetailOut:
    """A public model; one of yours too, as others would see it."""
    return told_in_full(_found(lambda: sharing.shared_for_user(person(request), model_id)))


@gallery.post(
    "/{uuid:model_id}/generate",
    response=GenerationOut,
    summary="Let a model of the gallery write",
    openapi_extra=STREAM,
)
@idempotency.slow
def generate_by_public_model(
    request: HttpRequest, model_id: uuid.UUID, body: GenerateIn, query: Query[GenerateQuery]
) -> GenerationOut | Any:
    """New posts by a public model, kept for you. `copy_guard` and `mask_mentions` are its owner's to switch off."""
    return written(request, _found(lambda: sharing.shared_for_user(person(request), model_id)), body, query)


@shared.get("/{str:link}", response=SharedModelDetailOut, summary="Get a model by its link")
def get_unlisted_model(request: HttpRequest, link: str) -> SharedModelDetailOut:
    """The model that has this link: the last part of the address that its owner gave you."""
    return told_in_full(_found(lambda: sharing.shared_by_link(person(request), link)))


@shared.post(
    "/{str:link}/generate", response=GenerationOut, summary="Let a model write by its link", openapi_extra=STREAM
)
@idempotency.slow
def generate_by_unlisted_model(
    request: HttpRequest, link: str, body: GenerateIn, query: Query[GenerateQuery]
) -> GenerationOut | Any:
    """New posts by the model that has this link, kept for you."""
    return written(request, _found(lambda: sharing.shared_by_link(person(request), link)), body, query)


def _found(find: Callable[[], TrainedModel]) -> TrainedModel:
    try:
        return find()
    except TrainedModel.DoesNotExist:
        raise not_found("model") from None
