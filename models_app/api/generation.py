"""Posts that models write: at once or as a stream, and again under `/generations`."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext as _
from ninja import Query, Router, Status
from pydantic import Field

from botfactory.accounts.models import User
from botfactory.rest import idempotency
from botfactory.rest.access import person
from botfactory.rest.errors import ApiError, answer_to, bad_value, not_found
from botfactory.rest.paging import PageDict, PageQuery, page_of
from botfactory.rest.schemas import SERVER_SENT, VISIBLE, Input, Output, Page, Text, examples
from botfactory.web.disconnect import require_client
from botfactory.words.translation import translated
from models_app.api.parts import LABEL, MODEL, MOMENT, about
from models_app.bots.rows import TrainedModel
from models_app.ml.config import (
    LONGEST_BANNED,
    LONGEST_TOPIC,
    MAX_BANNED,
    MAX_BEST_OF,
    MAX_TOP_K,
    SamplingConfig,
    usual,
)
from models_app.ml.sampling.outcome import Refused
from models_app.writing import asking, generations, live
from models_app.writing.admission import MAX_CHARACTERS
from models_app.writing.rows import Generation

router = Router(tags=["generations"])

_FLUENT, _QUICK = usual("llama"), usual("glr")


class GenerateIn(Input):
    """The settings for new posts. The same seed and settings give the same posts."""

    n: int = Field(
        10,
        ge=1,
        le=100,
        strict=True,
        description=f"The number of posts. n times max_characters can be at most {MAX_CHARACTERS:,}. "
        "With temperature 0 or top_k 1, every post is the same, so you get one.",
    )
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        strict=True,
        description="Lower is repetitive; higher is wilder. Null: "
        f"{_FLUENT.temperature} for a fluent bot, {_QUICK.temperature} for a quick one.",
    )
    top_k: int = Field(
        0,
        ge=0,
        le=MAX_TOP_K,
        strict=True,
        description="At each step, choose only among the k most likely symbols (bytes or tokens); 0 means all.",
    )
    top_p: float | None = Field(
        None,
        gt=0,
        le=1,
        strict=True,
        description="Of these, choose only among the most likely ones with this total probability. Null: "
        f"{_FLUENT.top_p} for a fluent bot, {_QUICK.top_p} for a quick one.",
    )
    prompt: Text = Field(
        "",
        max_length=280,
        description="How each post begins. Its words are whole; “…” or a hyphen at the end lets the last one go on.",
    )
    about: Text = Field(
        "",
        max_length=LONGEST_TOPIC,
        description="What the posts are to be about, for a fluent bot: a few words or a sentence.",
    )
    seed: int | None = Field(
        None, ge=0, le=2**32 - 1, strict=True, description="Null: a random one, which the answer contains."
    )
    max_characters: int = Field(280, ge=1, le=4000, strict=True, description="The longest post, including the prompt.")
    banned: list[Annotated[Text, Field(min_length=1, max_length=LONGEST_BANNED, json_schema_extra=VISIBLE)]] = Field(
        default=[], max_length=MAX_BANNED, description="Words and phrases that no post may contain."
    )
    copy_guard: bool = Field(True, strict=True, description="Reject posts that are too close to a learned one.")
    mask_mentions: bool = Field(True, strict=True, description="Write no @names, except those in the prompt.")
    personal_guard: bool = Field(
        True,
        strict=True,
        description="Reject posts with email addresses, phone numbers and the like, unless they are in the prompt.",
    )
    link_guard: bool | None = Field(
        None,
        strict=True,
        description="Reject posts with links that the prompt doesn't have. Null: true for a fluent bot, unless it "
        "learned posts that keep their links.",
    )
    best_of: int | None = Field(
        None,
        ge=1,
        le=MAX_BEST_OF,
        strict=True,
        description="The drafts for each post, of which the one that makes most sense is kept. Null: "
        f"{_FLUENT.best_of} for a fluent bot, {_QUICK.best_of} for a quick one.",
    )

    model_config = examples({"n": 5, "temperature": 0.8, "prompt": "I love"}, base=Input.model_config)

    def sampling(self) -> SamplingConfig:
        values = self.model_dump(exclude={"n", "banned"})
        banned = dict.fromkeys(" ".join(entry.split()) for entry in self.banned)
        try:
            return SamplingConfig(**values, count=self.n, banned=tuple(banned))
        except ValueError as error:
            # The fields can't check everything, such as a banned word that is only spaces.
            raise bad_value("banned", translated(error)) from None


class GenerationOut(Output):
    """Posts that a model wrote for you."""

    id: uuid.UUID
    model: uuid.UUID
    label: str = Field(description="The label to show wherever you show the posts.")
    posts: list[str]
    missing: int = Field(description="How many of the requested posts are missing.")
    note: str | None = Field(
        description="Why you get only one post although you asked for more: all would be the same."
    )
    refused: dict[str, int | None] = Field(
        description="The number of rejected drafts by reason. `copies` is null if there was nothing to compare with."
    )
    settings: dict[str, Any] = Field(description="The settings used, including the seed.")
    seconds: float
    created_at: datetime

    model_config = examples(
        {
            "id": "c5b3f7f0-93b1-4f0b-8f0c-6f2f8f4f2c70",
            "model": MODEL,
            "label": LABEL,
            "posts": ["I love coffee more than i love being on time"],
            "missing": 0,
            "note": None,
            "refused": Refused(copies=0, unfinished=1).as_dict(),
            "settings": {
                "n": 1,
                "temperature": 0.8,
                "top_k": 0,
                "top_p": 1.0,
                "prompt": "I love",
                "about": "",
                "seed": 7,
                "max_characters": 280,
                "banned": [],
                "copy_guard": True,
                "mask_mentions": True,
                "personal_guard": True,
                "link_guard": False,
                "best_of": 3,
            },
            "seconds": 0.21,
            "created_at": MOMENT,
        }
    )


def told_generation(generation: Generation) -> GenerationOut:
    """Return the generation as the API shows it."""
    settings = dict(generation.sampling)
    return GenerationOut(
        id=generation.pk,
        model=generation.model_id,
        label=generation.model.parody_label,
        posts=generation.posts,
        missing=generation.missing,
        note=generation.one_for_all or None,
        refused=generation.refused,
        settings={"n": settings.pop("count", None), **settings},
        seconds=round(generation.seconds, 3),
        created_at=generation.created_at,
    )


class PostOut(Output):
    """A post in a stream, which has just been written."""

    place: int = Field(description="Its place among the posts that you asked for, from 0.")
    post: str
    label: str = Field(description="The label to show wherever you show the post.")


class GenerateQuery(Input):
    stream: Literal["0", "1"] = Field(
        "0",
        description="1: server-sent events: a `post` for each post, then a `generation` with all of them. With the "
        "header `Accept: application/x-ndjson`, the stream has the same content as one JSON object per line.",
    )
    beginnings: Literal["0", "1"] = Field(
        "0",
        description="1: the stream also has `beginnings`, several times a second: the first words of each post that is "
        "being written, by its place, as long as no check rejects them. Missing places were rejected or have "
        "ended; the next draft takes the place of a rejected one. Of several drafts for a post, you get the beginning "
        "of one. Without a stream, there are none.",
    )


STREAM: Final[dict[str, Any]] = {
    "responses": {
        503: {},
        200: {
            "content": {
                "text/event-stream": {
                    "schema": SERVER_SENT,
                    "example": 'event: post\ndata: {"place": 0, "post": "I love coffee", "label": "AI parody of '
                    '@dril.bsky.social, not by @dril.bsky.social."}\n\n',
                },
                "application/x-ndjson": {
                    "schema": {"type": "string", "description": "One JSON object a line, last the generation."},
                    "example": '{"place": 0, "post": "I love coffee", "label": "AI parody of @dril.bsky.social, not by '
                    '@dril.bsky.social."}\n{"generation": {"id": "c5b3f7f0-93b1-4f0b-8f0c-6f2f8f4f2c70"}}\n',
                },
            }
        },
    }
}


def written(
    request: HttpRequest, model: TrainedModel, body: GenerateIn, query: GenerateQuery
) -> GenerationOut | StreamingHttpResponse:
    """Write posts for the person; answer with all of them, or with a stream."""
    owner, sampling = person(request), body.sampling()
    form = _form(request, query)
    with about("prompt"):
        if form is not None:
            settled = generations.settled(sampling, model)
            return _stream(request, model, owner, settled, form, beginnings=query.beginnings == "1")
        proceed = require_client(request)
        return told_generation(asking.generate(model=model, owner=owner, sampling=sampling, proceed=proceed))


def _form(request: HttpRequest, query: GenerateQuery) -> live.Form | None:
    """The form of the stream that is asked for, if any."""
    if live.is_asked_for(request, live.NDJSON):
        return live.NDJSON
    return live.SERVER_SENT_EVENTS if query.stream == "1" else None


def _stream(
    request: HttpRequest,
    model: TrainedModel,
    owner: User,
    sampling: SamplingConfig,
    form: live.Form,
    *,
    beginnings: bool,
) -> StreamingHttpResponse:
    if idempotency.HEADER in request.headers:
        message = _("A stream isn’t stored, so its key can’t replay it. Leave out %(header)s, or leave out stream.") % {
            "header": idempotency.HEADER
        }
        raise ApiError(422, "stream_not_kept", message, param=idempotency.HEADER)
    label = model.parody_label
    words = live.Words(
        post=lambda told: PostOut(place=told.place, post=told.post, label=label).to_json(),
        generation=lambda generation: told_generation(generation).to_json(),
        error=lambda error: answer_to(request, error).content.decode(),
    )
    return live.response(request, form, words, model=model, owner=owner, sampling=sampling, beginnings=beginnings)


class GenerationFilters(PageQuery):
    model: uuid.UUID | None = Field(None, description="Only posts by this model.")


class GenerationsOf(Input):
    model: uuid.UUID = Field(description="The model that wrote them.")


@router.get("", response=Page[GenerationOut], summary="List generations")
def list_generations(request: HttpRequest, query: Query[GenerationFilters]) -> PageDict:
    """List the posts that models wrote for you, newest first."""
    own = generations.generations_for_user(person(request))
    rows = own if query.model is None else own.filter(model=query.model)
    return page_of(rows, query, lambda found: map(told_generation, found), among=own)


@router.get("/{uuid:generation_id}", response=GenerationOut, summary="Get a generation")
def get_generation(request: HttpRequest, generation_id: uuid.UUID) -> GenerationOut:
    """Get posts that a model wrote for you."""
    return told_generation(_generation_or_404(request, generation_id))


@router.delete("/{uuid:generation_id}", response={204: None}, summary="Delete a generation")
def delete_generation(request: HttpRequest, generation_id: uuid.UUID) -> Status[None]:
    """Delete posts that a model wrote for you. Those that you kept stay in your kept posts."""
    generations.delete_generation(_generation_or_404(request, generation_id))
    return Status(204, None)


@router.delete("", response={204: None}, summary="Delete all posts that a model wrote for you")
def delete_generations(request: HttpRequest, query: Query[GenerationsOf]) -> Status[None]:
    """Delete all generations of a model that are yours. Posts that you kept stay in your kept posts."""
    generations.delete_generations(person(request), query.model)
    return Status(204, None)


def _generation_or_404(request: HttpRequest, generation_id: uuid.UUID) -> Generation:
    try:
        return generations.generation_for_user(person(request), generation_id)
    except Generation.DoesNotExist:
        raise not_found("generation") from None
