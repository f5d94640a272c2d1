"""A model as the API shows and changes it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from django.http import HttpRequest
from pydantic import Field

from botfactory.rest.access import person
from botfactory.rest.schemas import Input, Output, Text, examples
from models_app import downloads
from models_app.api.parts import (
    ABOUT_PEOPLE,
    BASE,
    CORPUS,
    HYPERPARAMETERS,
    JOB,
    LABEL,
    MODEL,
    MOMENT,
    REPORT,
    TOLD_BY_PEOPLE,
    told_by_people,
)
from models_app.bots.rows import Tier, TrainedModel
from models_app.sharing import tags
from models_app.sharing.rows import LONGEST_TAG
from models_app.sharing.tags import MAX_TAGS
from models_app.training import surprises

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
    "tags": ["dad-jokes"],
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
    tags: list[str] = Field(description="Words by which people find it in the gallery.")

    model_config = examples(_MODEL_EXAMPLE)


class ModelDetailOut(ModelOut):
    """A model with its settings, its epochs and its report card."""

    network: dict[str, Any] = Field(description="The kind and size of the network.")
    training: dict[str, Any] = Field(description="The settings of the training; for a fine-tune, its hyperparameters.")
    history: list[dict[str, Any]] = Field(
        description="Its epochs, or the parts of a fluent training, with their losses in nats per byte or token."
    )
    kept_epoch: int | None = Field(
        description="The epoch that was kept, or that the kept weights are on the way to (`interpolation`): the one "
        "with the lowest validation loss or, for a fluent bot, maybe the last one."
    )
    interpolation: float | None = Field(
        description="How far the kept weights are on the way from those that it started from (0) to those of "
        "`kept_epoch` (1). `bits_per_character` belongs to the kept weights. Null for bots of early versions."
    )
    seconds: float | None = Field(description="The duration of the training.")
    report: dict[str, Any] | None = Field(
        description="The report card: the shares of new posts, of posts in the person's voice and of real words, for "
        "the bot, the held-out posts and the base model; and `told_apart`, the share of posts that a classifier "
        "correctly calls real or generated (0.5 is guessing), with its standard error; and `sense`, how much sense "
        "readers would probably find in its posts, from 0 to 3. Cards of early versions lack the last two. "
        "`told_apart` is null if there are too few posts, `sense` if the bot doesn’t choose from drafts. Null if there "
        "is no card."
    )
    formats: list[str] = Field(description="The formats that you can download it in; empty if it isn’t your own.")
    told_apart_by_people: dict[str, Any] | None = Field(description=ABOUT_PEOPLE)

    model_config = examples(
        {
            **_MODEL_EXAMPLE,
            "network": {"kind": "glr", "units": 512, "layers": 2},
            "training": HYPERPARAMETERS,
            "history": [{"epoch": 1, "train_loss": 1.51, "validation_loss": 1.47, "best": True}],
            "kept_epoch": 1,
            "interpolation": 0.8,
            "seconds": 41.5,
            "report": REPORT,
            "formats": ["native", "npz", "keras", "onnx", "tfjs"],
            "told_apart_by_people": TOLD_BY_PEOPLE,
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
    tags: list[Annotated[Text, Field(max_length=LONGEST_TAG)]] | None = Field(
        None,
        max_length=MAX_TAGS,
        description="Words by which people find it in the gallery. They are stored in lower case, with hyphens for "
        "everything but letters and digits. Tags without these are left out, and so are repeated ones.",
    )

    model_config = examples(
        {"name": "dril, the second"}, {"visibility": "public", "tags": ["dad-jokes"]}, base=Input.model_config
    )


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
        kept_epoch=model.kept_epoch,
        interpolation=model.interpolation,
        seconds=model.seconds,
        report=surprises.report_for_user(person(request), model) or None,
        formats=list(downloads.formats_of(model)) if model.owner_id == person(request).pk else [],
        told_apart_by_people=told_by_people(model),
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
        "tags": tags.of(model),
    }
