"""A person's searches for settings of bots, as lines of the person's ZIP. Restoring them trusts nothing."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from django.utils import timezone
from pydantic import Field, StringConstraints, ValidationError

from botfactory.accounts.models import User
from botfactory.chunks import chunks_of, line_of
from botfactory.untrusted import Facts, MadeAt
from models_app.ml.config import traits_of
from models_app.model_files import Fence
from models_app.models import Search, TrainedModel, Trial
from models_app.moving.bases import meant, usable_by_all
from models_app.moving.restoring import Restored
from models_app.search import bots
from models_app.search import space as spaces
from models_app.search.how import MAX_TRIALS, How
from models_app.services import ModelError
from tweets.models import Corpus

#: The most searches of a ZIP; more than anybody makes.
MAX_SEARCHES: Final = 10_000
#: The most validations of a trial, and so of a pruner's notes; a training of a bot has at most about ten.
MAX_POINTS: Final = 100
#: What a pruner notes of a trial. Nothing else that Optuna notes is needed to go on.
_RUNG: Final = re.compile(r"completed_rung_\d{1,3}")
_OPEN: Final = (Trial.State.WAITING, Trial.State.RUNNING)

Step = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,6}$")]


class TrialFacts(Facts):
    number: int = Field(ge=0, lt=MAX_TRIALS)
    state: Literal["waiting", "running", "complete", "pruned", "failed"]
    parameters: dict[str, int | float | str] = Field(max_length=spaces.MAX_PARAMETERS)
    bits_per_character: float | None
    points: dict[Step, float] = Field(max_length=MAX_POINTS)
    seconds: float = Field(ge=0)
    weights: int | None = Field(ge=0, lt=1 << 62)
    why: str = Field("", max_length=4000)
    rungs: dict[str, float] = Field({}, max_length=MAX_POINTS)
    started_at: MadeAt
    finished_at: MadeAt | None


class Settings(Facts):
    """What the trials have in common. The rest follows from the start and the space."""

    characters: int = Field(ge=1, le=2_000_000_000)
    epochs: int = Field(ge=1, le=10_000)
    most_characters: int = Field(ge=0, le=2_000_000_000)
    minutes: int | None = Field(None, ge=1, le=100_000)


class SearchFacts(Facts):
    id: uuid.UUID
    name: str = Field(min_length=1, max_length=80)
    corpus: uuid.UUID
    start: uuid.UUID
    start_sha256: str = Field(max_length=64)
    start_pretrained: str | None = Field(None, max_length=64)
    settings: Settings
    space: dict[str, dict[str, Any]] = Field(max_length=spaces.MAX_PARAMETERS)
    sampler: str = Field(max_length=16)
    pruner: str = Field(max_length=16)
    trials_wanted: int = Field(ge=1, le=MAX_TRIALS)
    at_once: int
    seed: int
    importance: dict[str, float] = Field(max_length=spaces.MAX_PARAMETERS)
    created_at: MadeAt
    trials: tuple[TrialFacts, ...] = Field(max_length=MAX_TRIALS)


def searches(user: User) -> Iterator[bytes]:
    """Yield a line for each search of the person, with its trials."""
    for rows in chunks_of(Search.objects.filter(owner=user).select_related("start").prefetch_related("trials")):
        yield "".join(line_of(_told(row)) for row in rows).encode()


def _told(row: Search) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "name": row.name,
        "corpus": str(row.corpus_id) if row.corpus_id else None,
        "start": str(row.start_id) if row.start_id else None,
        "start_name": row.start_name,
        "start_sha256": row.start.sha256 if row.start else "",
        "start_pretrained": row.start.network.get("pretrained", "") if row.start else "",
        "settings": row.settings,
        "space": row.space,
        "sampler": row.sampler,
        "pruner": row.pruner,
        "trials_wanted": row.wanted,
        "at_once": row.at_once,
        "seed": row.seed,
        "importance": row.importance,
        "created_at": row.created_at.isoformat(),
        "trials": [_told_trial(trial) for trial in row.trials.all()],
    }


def _told_trial(row: Trial) -> dict[str, Any]:
    same = ("number", "state", "parameters", "bits_per_character", "points", "seconds", "weights", "why")
    return {
        **{name: getattr(row, name) for name in same},
        "rungs": {name: value for name, value in row.attributes.items() if _RUNG.fullmatch(name)},
        "started_at": row.started_at.isoformat(),
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
    }


def restore(
    lines: Iterable[Mapping[str, Any]], *, owner: User, numbers: Callable[[uuid.UUID], uuid.UUID], fenced: Fence
) -> Restored:
    """Restore searches under new ids, stopped. Repeated, it adds none twice.

    A search is left out if its posts or the model that its trials started from aren't here.
    """
    done = left_out = 0
    for line in lines:
        with fenced():
            row = _row(line, owner, numbers) if done < MAX_SEARCHES else None
            if row is None:
                left_out += 1
                continue
            search, trials = row
            if not Search.objects.filter(pk=search.pk).exists():
                search.save(force_insert=True)
                Trial.objects.bulk_create(trials)
        done += 1
    return Restored(done, left_out)


def _row(
    line: Mapping[str, Any], owner: User, numbers: Callable[[uuid.UUID], uuid.UUID]
) -> tuple[Search, list[Trial]] | None:
    try:
        facts = SearchFacts.model_validate(line)
        how = How(
            trials=facts.trials_wanted,
            sampler=facts.sampler,
            pruner=facts.pruner,
            at_once=facts.at_once,
            seed=facts.seed,
        )
        corpora = Corpus.objects.select_for_update(no_key=True).filter(owner=owner, state=Corpus.State.READY)
        corpus = corpora.filter(pk=numbers(facts.corpus)).first()
        start = _start(facts, owner, numbers)
        if corpus is None or start is None:
            return None
        told: dict[str, Any] = {**traits_of(start.network), **facts.settings.model_dump(exclude_none=True)}
        space = bots.checked(facts.space, corpus, start, told)
        search = Search(
            pk=numbers(facts.id),
            owner=owner,
            name=facts.name,
            kind=Search.Kind.BOT,
            corpus=corpus,
            start=start,
            start_name=start.full_name,
            settings=told,
            space=spaces.as_json(space),
            importance={name: value for name, value in facts.importance.items() if name in space},
            created_at=facts.created_at,
            **how.columns(),
        )
        return search, _trials(facts, search, space)
    except (ValidationError, ModelError, ValueError):
        return None


def _start(facts: SearchFacts, owner: User, numbers: Callable[[uuid.UUID], uuid.UUID]) -> TrainedModel | None:
    models = TrainedModel.objects.select_for_update(no_key=True)
    own = models.filter(owner=owner, pk=numbers(facts.start)).first()
    bases = models.filter(usable_by_all(), sha256=facts.start_sha256, retired_at=None)
    return own or meant(bases, facts.start_sha256, facts.start_pretrained)


def _trials(facts: SearchFacts, search: Search, space: spaces.Space) -> list[Trial]:
    """Return the trials. Those that ran begin again. Raises ValueError for trials that no search has."""
    if [trial.number for trial in facts.trials] != list(range(len(facts.trials))):
        raise ValueError("The numbers of the trials have gaps.")
    return [_trial(trial, search, space) for trial in facts.trials]


def _trial(facts: TrialFacts, search: Search, space: spaces.Space) -> Trial:
    state = Trial.State(facts.state)
    is_open = state in _OPEN
    if set(facts.parameters) != set(space) and not is_open:
        raise ValueError("A trial has other parameters than its search.")
    for name, value in facts.parameters.items():
        _require_inside(space.get(name), value)
    if state == Trial.State.COMPLETE and facts.bits_per_character is None:
        raise ValueError("A complete trial has no result.")
    return Trial(
        search=search,
        number=facts.number,
        state=Trial.State.WAITING if is_open else state,
        parameters=facts.parameters,
        bits_per_character=None if is_open else facts.bits_per_character,
        points={} if is_open else facts.points,
        seconds=0.0 if is_open else facts.seconds,
        weights=facts.weights,
        why=facts.why,
        attributes={name: value for name, value in facts.rungs.items() if _RUNG.fullmatch(name) and not is_open},
        started_at=facts.started_at,
        finished_at=None if is_open else facts.finished_at or timezone.now(),
    )


def _require_inside(parameter: spaces.Parameter | None, value: spaces.Value) -> None:
    if isinstance(parameter, spaces.Choices):
        is_inside = value in parameter.values
    else:
        is_inside = (
            parameter is not None
            and not isinstance(value, str)
            and parameter.low <= value <= parameter.high
            and (not parameter.is_whole or isinstance(value, int))
        )
    if not is_inside:
        raise ValueError("A parameter is outside of the space.")
