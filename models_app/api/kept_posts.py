"""`/kept`: list, add and remove the posts that you kept."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router, Status
from pydantic import Field

from botfactory.rest.access import person
from botfactory.rest.errors import bad_value, not_found, register_errors
from botfactory.rest.paging import PageDict, PageQuery, page_of
from botfactory.rest.schemas import VISIBLE, Input, Output, Page, Text, examples
from models_app.api.parts import LABEL, MODEL, MOMENT
from models_app.writing.keeping import services
from models_app.writing.keeping.rows import KeptPost
from models_app.writing.rows import Generation

router = Router(tags=["kept"])
register_errors({services.KeepingError: 422, services.TooManyKept: 409})

_GENERATION: Final = "c5b3f7f0-93b1-4f0b-8f0c-6f2f8f4f2c70"


class KeepIn(Input):
    """A post of one of your generations, as written or edited."""

    generation: uuid.UUID = Field(description="The generation that the post is in.")
    post: int = Field(0, ge=0, le=99, strict=True, description="Its index there.")
    text: Text | None = Field(
        None,
        min_length=1,
        max_length=services.LONGEST,
        description="The text to keep, if you edited it. By default the post as it was written.",
        json_schema_extra=VISIBLE,
    )

    model_config = examples({"generation": _GENERATION, "post": 0}, base=Input.model_config)


class KeptOut(Output):
    """A post that you kept."""

    id: uuid.UUID
    model: uuid.UUID
    label: str = Field(description="The label to show wherever you show the post.")
    text: str
    edited: bool = Field(description="Whether you changed the text before you kept it.")
    generation: uuid.UUID | None = Field(description="Where it was written; null if that is deleted.")
    post: int = Field(description="Its index there.")
    created_at: datetime = Field(description="When you kept it.")

    model_config = examples(
        {
            "id": "0f7d3f0a-1c2e-4b7e-9a55-5a1d0c2b7e11",
            "model": MODEL,
            "label": LABEL,
            "text": "I love coffee more than i love being on time",
            "edited": False,
            "generation": _GENERATION,
            "post": 0,
            "created_at": MOMENT,
        }
    )


class KeptQuery(PageQuery):
    model: uuid.UUID | None = Field(None, description="Only posts by this model.")
    q: Text = Field("", max_length=200, description="Words in the text.")


def kept_out(kept: KeptPost) -> KeptOut:
    """Return the kept post as the API shows it."""
    return KeptOut(
        id=kept.pk,
        model=kept.model_id,
        label=kept.model.parody_label,
        text=kept.text,
        edited=kept.is_edited,
        generation=kept.generation_id,
        post=kept.number,
        created_at=kept.created_at,
    )


@router.get("", response=Page[KeptOut], summary="List kept posts")
def list_kept(request: HttpRequest, query: Query[KeptQuery]) -> PageDict:
    """List the posts that you kept, newest first."""
    own = services.kept_for_user(person(request))
    found = services.find(own, words=query.q, model=query.model)
    return page_of(found, query, lambda rows: map(kept_out, rows), among=own)


@router.post("", response={201: KeptOut}, summary="Keep a post")
def keep_post(request: HttpRequest, body: KeepIn) -> Status[KeptOut]:
    """Keep a post that a model wrote for you. If you have kept it already, you get that one. 409 at the limit."""
    try:
        generation = services.generation_for_user(person(request), body.generation)
    except Generation.DoesNotExist:
        message = _("There is no such generation, or it isn’t yours.")
        raise bad_value("generation", message, code="unknown_generation") from None
    return Status(201, kept_out(services.keep(generation=generation, number=body.post, text=body.text)))


@router.delete("/{uuid:kept_id}", response={204: None}, summary="Remove a kept post")
def remove_kept(request: HttpRequest, kept_id: uuid.UUID) -> Status[None]:
    """Stop keeping the post. The generation stays."""
    try:
        services.remove(services.kept_post_for_user(person(request), kept_id))
    except KeptPost.DoesNotExist:
        raise not_found("kept post") from None
    return Status(204, None)
