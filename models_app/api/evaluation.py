"""`/models/{id}/evaluate`: how well a model predicts posts."""

from __future__ import annotations

import uuid
from typing import Annotated, Final

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Router
from pydantic import Field

from botfactory.rest import idempotency
from botfactory.rest.access import person
from botfactory.rest.errors import bad_value
from botfactory.rest.schemas import Input, Output, Text, examples
from botfactory.web.disconnect import require_client
from botfactory.words.translation import grouped
from models_app.api.parts import BASE, MODEL, model_or_404
from models_app.writing import asking

router = Router(tags=["models"])

#: The most characters to evaluate in one request: a second or two for two models on one core.
MAX_EVALUATED: Final = 10_000


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
    model, posts = model_or_404(request, model_id), body.checked()
    found = asking.evaluate(model=model, owner=person(request), posts=posts, proceed=require_client(request))
    return EvaluationOut(
        model=model_id,
        posts=found.model.posts,
        characters=found.model.characters,
        bits_per_character=round(found.model.bits_per_character, 4),
        base=None if found.base is None else found.base.pk,
        base_bits_per_character=None if found.by_base is None else round(found.by_base.bits_per_character, 4),
    )
