"""`/models/bases`: the tiers and their base models."""

from __future__ import annotations

import uuid

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from botfactory.rest.access import person
from botfactory.rest.schemas import Output, examples
from models_app.api.parts import BASE
from models_app.bots import versions
from models_app.bots.rows import Tier
from models_app.training import tiers

router = Router(tags=["models"])


class BaseOut(Output):
    """A tier of bots, and the base model that new bots of this tier start from."""

    tier: Tier
    is_offered: bool = Field(description="Whether models of this tier can be trained here.")
    is_default: bool = Field(description="Whether a training that names neither `tier` nor `model` uses this tier.")
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
