"""`/models/bases`: the tiers and their base models; for administrators, those that can be got from the hub."""

from __future__ import annotations

import uuid
from dataclasses import asdict

from django.http import HttpRequest
from ninja import Query, Router, Status
from pydantic import Field

from botfactory.jobs.api import JobOut, told_one
from botfactory.rest.access import ADMINISTRATORS, person
from botfactory.rest.errors import register_errors
from botfactory.rest.schemas import Input, Output, examples
from models_app.api.parts import BASE
from models_app.bases.getting import facts, hub, services
from models_app.bases.services import BaseError
from models_app.bots import versions
from models_app.bots.rows import Tier
from models_app.training import tiers

router = Router(tags=["models"])
register_errors({BaseError: 422, services.AlreadyComing: 409, hub.HubUnavailable: 503})


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


class GetBaseIn(Input):
    """A model on the Hugging Face Hub to get as a base model."""

    repository: str = Field(max_length=193, pattern=f"^{hub.REPOSITORY.pattern}$", description="`owner/name`.")
    revision: str = Field(
        "",
        max_length=200,
        pattern=f"^({hub.REVISION.pattern})?$",
        description="A branch, tag or commit; by default the suggested commit, or the newest.",
    )
    name: str = Field(
        "", max_length=72, pattern=r"^[^/\x00]*$", description="Of the base model; by default that of the repository."
    )

    model_config = examples({"repository": "HuggingFaceTB/SmolLM2-360M"}, base=Input.model_config)


class OfHubOut(Output):
    """A model on the hub, and what it would cost here. Memory and seconds are estimates."""

    repository: str
    revision: str = Field(description="The commit.")
    is_suggested: bool = Field(description="Whether it is the commit that we suggest.")
    licence: str = Field(description='As its repository says; "" if it doesn\'t.')
    languages: str
    download: int = Field(description="In bytes.")
    parameters: int
    memory_to_write: int = Field(description="In bytes.")
    memory_to_train: int = Field(description="In bytes.")
    seconds: float = Field(description="The time that a bot of 3,200 posts takes on this machine.")
    why_not: str = Field(description='Why it can\'t be got here, such as too little memory; "" if it can.')

    model_config = examples(
        {
            "repository": "HuggingFaceTB/SmolLM2-360M",
            "revision": "f8027fd0eaeea54caa13c31d31b9fdc459c38b49",
            "is_suggested": True,
            "licence": "apache-2.0",
            "languages": "English",
            "download": 723674912,
            "parameters": 361821120,
            "memory_to_write": 2026198272,
            "memory_to_train": 10759278331,
            "seconds": 515.0,
            "why_not": "",
        }
    )


class AllOfHubOut(Output):
    data: list[OfHubOut]


@router.get("/bases/suggested", response=AllOfHubOut, auth=ADMINISTRATORS, summary="List the suggested base models")
def list_suggested_bases(request: HttpRequest) -> AllOfHubOut:
    """The models on the Hugging Face Hub that we suggest. Asks the hub nothing."""
    return AllOfHubOut(data=[OfHubOut(**asdict(model)) for model in facts.of_suggested()])


@router.get(
    "/bases/hub",
    response=OfHubOut,
    auth=ADMINISTRATORS,
    summary="Look at a model on the hub",
    openapi_extra={"responses": {503: {}}},
)
def look_at_base(request: HttpRequest, query: Query[GetBaseIn]) -> OfHubOut:
    """Ask the hub (`HF_ENDPOINT`) about a repository, and tell what its model would cost. Downloads no weights.

    Answers 422 if the hub has no such model or we can't use it, and 503 if it doesn't answer.
    """
    return OfHubOut(**asdict(facts.looked_up(query.repository, query.revision)[1]))


@router.post("/bases", response={202: JobOut}, auth=ADMINISTRATORS, summary="Get a base model from the hub")
def get_base_model(request: HttpRequest, body: GetBaseIn) -> Status[JobOut]:
    """Queue the download of a model. Its `result` will have the model, the repository and the commit.

    Answers 409 while the same one is being downloaded.
    """
    job = services.get(by=person(request), repository=body.repository, revision=body.revision, name=body.name)
    return Status(202, told_one(job))
