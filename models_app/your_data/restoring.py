"""Restore what bots wrote for a person: generations, and the posts that they kept."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from django.db.models import Model, QuerySet
from pydantic import Field, JsonValue, ValidationError

from botfactory.accounts.models import User
from botfactory.files.chunks import batches
from botfactory.files.untrusted import Facts, MadeAt
from botfactory.your_data.parts import Restored
from models_app.bots.files import Fence
from models_app.bots.rows import TrainedModel
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import BadSetting
from models_app.ml.sampling.outcome import Refused
from models_app.writing.keeping.rows import KeptPost
from models_app.writing.keeping.services import LONGEST, MAX_KEPT
from models_app.writing.rows import Generation
from models_app.your_data.bases import meant, usable_by_all

Row = TypeVar("Row", bound=Model)

#: Returns the new id of a thing of the ZIP.
Numbers = Callable[[uuid.UUID], uuid.UUID]

CHUNK: Final = 200
_LONGEST_POST: Final = 100_000
#: What a person has generated is restored up to this many generations, with those that are there already.
MAX_GENERATIONS: Final = 20_000


class GenerationFacts(Facts):
    id: uuid.UUID
    model: uuid.UUID
    model_sha256: str = Field("", max_length=64)
    model_pretrained: str | None = Field(None, max_length=64)
    sampling: dict[str, JsonValue]
    posts: tuple[str, ...] = Field(max_length=1000)
    refused: dict[str, int | None] = {}
    seconds: float = Field(ge=0)
    created_at: MadeAt


class KeptFacts(Facts):
    id: uuid.UUID
    model: uuid.UUID
    model_sha256: str = Field("", max_length=64)
    model_pretrained: str | None = Field(None, max_length=64)
    text: str = Field(min_length=1, max_length=LONGEST)
    edited: bool
    generation: uuid.UUID | None
    post: int = Field(ge=0, le=1_000)
    created_at: MadeAt


class _Models:
    """Finds the models of rows: bots that were restored, and base models that are here too.

    They stay until the transaction ends in which this is made: their owner may be deleting them.
    """

    def __init__(
        self,
        owner: User,
        numbers: Numbers,
        lines: Iterable[GenerationFacts | KeptFacts | None],
    ) -> None:
        self._numbers = numbers
        found = [line for line in lines if line is not None]
        wanted = {numbers(line.model) for line in found}
        bases = {line.model_sha256 for line in found}
        models = TrainedModel.objects.select_for_update(no_key=True).order_by("pk")
        self._own = set(models.filter(owner=owner, pk__in=wanted).values_list("pk", flat=True))
        self._bases = list(models.filter(usable_by_all(), sha256__in=bases))

    def of(self, facts: GenerationFacts | KeptFacts) -> uuid.UUID | None:
        base = meant(self._bases, facts.model_sha256, facts.model_pretrained)
        number = self._numbers(facts.model)
        return number if number in self._own else (base.pk if base else None)


def generations(lines: Iterable[Mapping[str, Any]], *, owner: User, numbers: Numbers, fenced: Fence) -> Restored:
    """Restore generations under new ids, up to MAX_GENERATIONS of the person. Repeated, it adds none twice."""
    done, left_out = 0, 0
    for chunk in batches(lines, CHUNK):
        found = [_generation(line) for line in chunk]
        with fenced():
            models = _Models(owner, numbers, found)
            rows = [
                Generation(
                    pk=numbers(facts.id),
                    model_id=model,
                    owner=owner,
                    sampling=facts.sampling,
                    posts=list(facts.posts),
                    refused=facts.refused,
                    seconds=facts.seconds,
                    created_at=facts.created_at,
                )
                for facts in found
                if facts is not None and (model := models.of(facts)) is not None
            ]
            created = _create(rows, Generation.objects.filter(owner=owner), MAX_GENERATIONS)
        done += created
        left_out += len(chunk) - created
    return Restored(done, left_out)


def kept(lines: Iterable[Mapping[str, Any]], *, owner: User, numbers: Numbers, fenced: Fence) -> Restored:
    """Restore kept posts under new ids, as many as the person may keep. Repeated, it adds none twice."""
    done, left_out = 0, 0
    for chunk in batches(lines, CHUNK):
        found = [_kept(line) for line in chunk]
        wanted = [numbers(facts.generation) for facts in found if facts is not None and facts.generation is not None]
        with fenced():
            models = _Models(owner, numbers, found)
            generations = Generation.objects.select_for_update(no_key=True).order_by("pk")
            there = set(generations.filter(owner=owner, pk__in=wanted).values_list("pk", flat=True))
            rows = [
                KeptPost(
                    pk=numbers(facts.id),
                    model_id=model,
                    owner=owner,
                    generation_id=_among(there, facts.generation, numbers),
                    number=facts.post,
                    text=facts.text,
                    is_edited=facts.edited,
                    created_at=facts.created_at,
                )
                for facts in found
                if facts is not None and (model := models.of(facts)) is not None
            ]
            created = _create(rows, KeptPost.objects.filter(owner=owner), MAX_KEPT)
        done += created
        left_out += len(chunk) - created
    return Restored(done, left_out)


def _create(rows: Sequence[Row], own: QuerySet[Row], most: int) -> int:
    """Create the first of these rows, up to `most` rows of the person. Return how many of them are there now."""
    already = own.filter(pk__in=[row.pk for row in rows]).count()
    rows = rows[: max(0, most - own.count() + already)]
    own.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _among(there: set[uuid.UUID], number: uuid.UUID | None, numbers: Numbers) -> uuid.UUID | None:
    """Return the new id of the generation if it's there."""
    new = None if number is None else numbers(number)
    return new if new in there else None


def _generation(line: Mapping[str, Any]) -> GenerationFacts | None:
    """Return the facts of a line; None if a page couldn't show them."""
    try:
        facts = GenerationFacts.model_validate(line)
        SamplingConfig.from_dict(dict(facts.sampling))
        Refused.from_dict(dict(facts.refused))
    except (ValidationError, BadSetting, TypeError):
        return None
    return facts if all(len(post) <= _LONGEST_POST for post in facts.posts) else None


def _kept(line: Mapping[str, Any]) -> KeptFacts | None:
    try:
        return KeptFacts.model_validate(line)
    except ValidationError:
        return None
