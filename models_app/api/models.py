"""`/models`: list, get, change, share and delete models, and write with them."""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.db import transaction
from django.http import HttpRequest
from ninja import Query, Router, Status

from botfactory.rest import idempotency
from botfactory.rest.access import person
from botfactory.rest.errors import missing_is_404
from botfactory.rest.paging import PageDict, PageQuery, page_of
from botfactory.rest.schemas import Page
from models_app.api.generation import STREAM, GenerateIn, GenerateQuery, GenerationOut, written
from models_app.api.parts import about, model_or_404
from models_app.api.schemas import ModelChangesIn, ModelDetailOut, ModelOut, model_detail_out, model_out
from models_app.bots import registry
from models_app.bots.rows import TrainedModel
from models_app.sharing import access, tags
from models_app.sharing import rights as sharing
from models_app.writing import first_posts

router = Router(tags=["models"])

_NOT_NOW: Final[dict[str, Any]] = {"responses": {409: {}}}


@router.get("", response=Page[ModelOut], summary="List your models")
def list_models(request: HttpRequest, query: Query[PageQuery]) -> PageDict:
    """List your models, newest first. The base model isn't among them; it is their first `parent`."""
    own = access.models_for_user(person(request)).prefetch_related("tags")
    return page_of(own, query, lambda rows: (model_out(request, model) for model in rows))


@router.get("/{uuid:model_id}", response=ModelDetailOut, summary="Get a model")
def get_model(request: HttpRequest, model_id: uuid.UUID) -> ModelDetailOut:
    """Get one of your models or the base model, with its settings and report card."""
    return model_detail_out(request, model_or_404(request, model_id))


@router.patch("/{uuid:model_id}", response=ModelDetailOut, summary="Rename or share a model", openapi_extra=_NOT_NOW)
def change_model(request: HttpRequest, model_id: uuid.UUID, body: ModelChangesIn) -> ModelDetailOut:
    """Change the name, the visibility or the tags of one of your models. Either all changes are made or none.

    Answers 409 if another of your models has the name or the administrator turned the gallery off, and 422 if nobody
    knows whose posts it learned.
    """
    model = model_or_404(request, model_id, to_change=True)
    with missing_is_404(TrainedModel.DoesNotExist, "model"), transaction.atomic():
        if body.name is not None:
            with about("name"):
                registry.rename(model, body.name)
        if body.visibility is not None:
            sharing.share(model, body.visibility)
        if body.tags is not None:
            tags.set_tags(model, body.tags)
    first_posts.write_missing(model)
    return model_detail_out(request, model)


@router.post("/{uuid:model_id}/link", response=ModelDetailOut, summary="Renew a link", openapi_extra=_NOT_NOW)
def renew_link(request: HttpRequest, model_id: uuid.UUID) -> ModelDetailOut:
    """Give one of your unlisted models a new link. The old one stops working. Answers 409 if it has no link."""
    model = model_or_404(request, model_id, to_change=True)
    with missing_is_404(TrainedModel.DoesNotExist, "model"):
        return model_detail_out(request, sharing.renew_link(model))


@router.delete("/{uuid:model_id}", response={204: None}, summary="Delete a model", openapi_extra=_NOT_NOW)
def delete_model(request: HttpRequest, model_id: uuid.UUID) -> Status[None]:
    """Delete one of your models with its files and everything it wrote.

    Models that started from it stay. They become private, so their links stop working.
    """
    registry.delete(model_or_404(request, model_id, to_change=True))
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
    return written(request, model_or_404(request, model_id), body, query)
