"""Models: trained on a corpus, written with, renamed, deleted."""

from __future__ import annotations

import math
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import median
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from botfactory.accounts import limits
from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs import turns
from botfactory.jobs.kinds import kind_of
from botfactory.jobs.models import Job
from botfactory.ops import counters
from models_app import registry
from models_app.ml import evaluation, sampler
from models_app.ml.config import FineTuneConfig, SamplingConfig, usual_epochs
from models_app.ml.copies import CopyGuard
from models_app.ml.evaluation import Evaluation
from models_app.ml.writing import Writing
from models_app.models import Generation, TrainedModel
from models_app.sharing import Right, rights_of
from tweets import services as corpora
from tweets.models import Corpus

FINE_TUNE = "fine_tune"
#: The limit that trainings count against.
TRAINING_MINUTES = "training_minutes_a_day"
FEWEST_EPOCHS, MOST_EPOCHS = 1, 10

#: Before anything has been trained on this machine: what two cores do (docs/benchmarks.md), in characters a second.
TYPICAL_SPEED = 20_000.0
#: Starting TensorFlow, building the graph and saving, in seconds.
STARTING_SECONDS = 12.0
VALIDATION_SHARE = 0.1
#: What a person may set of a training beside the epochs and the seed.
SETTINGS = (
    "batch_size",
    "sequence_length",
    "learning_rate",
    "final_learning_rate",
    "warmup_steps",
    "dropout",
    "clip_norm",
    "beta_2",
)


class ModelError(Exception):
    """A sentence for the person; `code` for programs."""

    code = "model_error"


class BadEpochs(ModelError):
    code = "bad_epochs"


class UnknownModel(ModelError):
    code = "unknown_model"


class BadRequest(ModelError):
    code = "bad_request"


class StillBase(ModelError):
    code = "still_base"


class ModelRetired(ModelError):
    code = "model_retired"


class GuardKept(ModelError):
    """`param` is what cannot be switched off."""

    code = "guard_kept"

    def __init__(self, param: str) -> None:
        super().__init__("Only its owner may let a bot write copies of learned posts or @names: leave this on.")
        self.param = param


@dataclass(frozen=True, slots=True)
class Plan:
    """A training that could be queued: how it learns, about how long it takes, and how many others come before it."""

    start: TrainedModel
    config: FineTuneConfig
    seconds: float
    jobs_ahead: int


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a model was measured at, and the base model that it comes from, if that is there."""

    model: Evaluation
    base: TrainedModel | None
    by_base: Evaluation | None


def models_for_user(user: Any) -> QuerySet[TrainedModel]:
    """The models that `user` may see: their own. (The base model is everybody's to start from, by `bases_for_user`.)"""
    if not (user.is_authenticated and user.is_active):
        return TrainedModel.objects.none()
    return TrainedModel.objects.filter(owner=user).select_related("owner", "corpus", "parent")


def model_for_user(user: Any, model_id: uuid.UUID) -> TrainedModel:
    """The model, with all that it was made of; TrainedModel.DoesNotExist for a stranger as for an id never given out.

    What others see of a shared one is in `sharing`.
    """
    model = TrainedModel.objects.select_related("owner", "corpus", "parent").get(pk=model_id)
    if Right.ORIGIN not in rights_of(user, model):
        raise TrainedModel.DoesNotExist
    return model


def bases_for_user(user: Any) -> list[TrainedModel]:
    """What `user` may start from: the base model, then their own models, the newest first."""
    own = models_for_user(user).filter(retired_at=None, is_base=False)
    return [registry.base_model(), *own]


def start_for_user(user: Any, model_id: uuid.UUID | None) -> TrainedModel:
    """The model that `user` starts from; without an id the base model.

    TrainedModel.DoesNotExist for a stranger, ModelRetired for one from which nobody starts any more.
    """
    model = None if model_id is None else model_for_user(user, model_id)
    if model is None or model.is_base:
        return registry.base_model()
    if model.retired_at is not None:
        raise ModelRetired(f"{model.name} is retired: start from another model, or from the base model.")
    return model


def find_model(text: str, *, user: User | None = None) -> TrainedModel:
    """The model that a terminal names: `base`, an id, or `owner/name`; with `user` only what that person sees."""
    if text == "base":
        return registry.base_model()
    rows = TrainedModel.objects.select_related("owner")
    if user is not None:
        rows = rows.filter(Q(owner=user) | Q(is_base=True))
    try:
        found = rows.filter(pk=uuid.UUID(text)).first()
    except ValueError:
        owner, _, name = text.partition("/")
        found = rows.filter(owner__username=owner, name=name).first() if name else None
    if found is None:
        raise UnknownModel(f"There is no model {text!r}. A model is named by its id, its owner/name, or `base`.")
    return found


def require_epochs(epochs: int) -> None:
    if not FEWEST_EPOCHS <= epochs <= MOST_EPOCHS:
        raise BadEpochs(f"{epochs} epochs cannot be trained: choose {FEWEST_EPOCHS} to {MOST_EPOCHS}.")


def fine_tune(
    *,
    owner: User,
    corpus: Corpus,
    start: TrainedModel,
    epochs: int | None = None,
    name: str = "",
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    run_here: bool = False,
) -> Job:
    """A training is queued: `start` learns `corpus` for `epochs` epochs and becomes a new model of `owner`.

    Without `epochs` it is as many as `default_epochs` says.
    `settings` are values of FineTuneConfig, by name, for those who know better than its `auto`.
    """
    seed = secrets.randbelow(2**31) if seed is None else seed
    config = _chosen(corpus, start, epochs, seed, settings or {})
    name = " ".join(name.replace("/", " ").split())[:80] or corpus.name
    return jobs.submit(
        owner=owner,
        kind=FINE_TUNE,
        title=f"Train {name}",
        arguments={
            "corpus": str(corpus.pk),
            "start": str(start.pk),
            "start_name": start.full_name,
            "name": name,
            "epochs": config.epochs,
            "seed": seed,
            "settings": dict(settings or {}),
            # What it will learn with, so that nobody is told anything else.
            "chosen": config.as_dict(),
        },
        subject_id=corpus.pk,
        run_here=run_here,
    )


def plan(
    *,
    owner: User,
    corpus: Corpus,
    start: TrainedModel,
    epochs: int | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Plan:
    """What `fine_tune` would queue for the same words, which it refuses as that does. Nothing is queued."""
    config = _chosen(corpus, start, epochs, seed or 0, settings or {})
    return Plan(start, config, estimate_seconds(corpus.characters, config.epochs), jobs_ahead(owner))


def default_epochs(corpus: Corpus) -> int:
    """How many epochs this corpus is trained for where nobody says: about a minute of them on two cores."""
    return usual_epochs(_learned(corpus))


def _learned(corpus: Corpus) -> int:
    """Of its characters, about how many are learned from."""
    return round(corpus.characters * (1 - VALIDATION_SHARE))


def _chosen(
    corpus: Corpus, start: TrainedModel, epochs: int | None, seed: int, settings: Mapping[str, Any]
) -> FineTuneConfig:
    epochs = default_epochs(corpus) if epochs is None else epochs
    require_epochs(epochs)
    corpora.require_enough(corpus)
    return training_config(_learned(corpus), epochs, seed, settings, kind=start.network["kind"])


def details(job: Job) -> dict[str, Any]:
    """What was asked of a training, with the values that were chosen."""
    asked = job.arguments
    set_by_hand = {"epochs": asked.get("epochs"), "seed": asked.get("seed"), **asked.get("settings", {})}
    return {
        "model": asked.get("start"),
        "model_name": asked.get("start_name"),
        "name": asked.get("name"),
        "hyperparameters": asked.get("chosen", set_by_hand),
    }


def training_config(
    characters: int, epochs: int, seed: int, settings: Mapping[str, Any], *, kind: str = "glr"
) -> FineTuneConfig:
    """How a network of this kind learns so many characters: what fits them, but for what `settings` say."""
    unknown = sorted(set(settings) - set(SETTINGS))
    if unknown:
        raise BadRequest(f"{unknown[0]} cannot be set; these can: {', '.join(SETTINGS)}.")
    try:
        return FineTuneConfig.auto(characters=max(1, characters), epochs=epochs, seed=seed, kind=kind, **settings)
    except ValueError as error:
        raise BadRequest(str(error)) from error


def estimate_seconds(characters: int, epochs: int) -> float:
    """About how long a training takes on this machine, by the speed of the last ones that ended here."""
    recent = TrainedModel.objects.filter(characters_per_second__gt=0).order_by("-created_at")
    speeds = [speed for speed in recent.values_list("characters_per_second", flat=True)[:5] if speed]
    speed = median(speeds) if speeds else TYPICAL_SPEED
    return STARTING_SECONDS + epochs * characters * (1 - VALIDATION_SHARE) / speed


def needs(job: Job) -> dict[str, int]:
    """What a training comes to, as it counts against the limits of its owner."""
    corpus = Corpus.objects.filter(pk=job.arguments["corpus"]).first()
    start = TrainedModel.objects.filter(pk=job.arguments["start"]).first()
    if corpus is None or start is None:
        return {}  # it will say so
    seconds = estimate_seconds(corpus.characters, job.arguments["epochs"])
    return {
        "models": 1,
        TRAINING_MINUTES: math.ceil(seconds / 60),
        # The network of its parent.
        "stored_mb": max(1, limits.megabytes(start.stored_bytes)),
    }


def register_limits() -> None:
    """What models count is registered with the limits. For AppConfig.ready."""
    limits.register_counter("models", lambda user: TrainedModel.objects.filter(owner=user).count())
    limits.register_counter("stored_mb", _stored_mb)


def _stored_mb(user: User) -> int:
    stored = TrainedModel.objects.filter(owner=user).aggregate(stored=Sum("stored_bytes"))["stored"]
    return limits.megabytes(stored or 0)


def jobs_ahead(user: User) -> int:
    """How many trainings would come before one that the person submits now, those that run among them."""
    return turns.ahead_of_new(kind_of(FINE_TUNE).queue, user.pk)


def generations_for_user(user: Any) -> QuerySet[Generation]:
    """What models wrote for `user`: nobody else sees it."""
    if not (user.is_authenticated and user.is_active):
        return Generation.objects.none()
    return Generation.objects.filter(owner=user).select_related("model__corpus")


def generation_for_user(user: Any, generation_id: uuid.UUID) -> Generation:
    """The generation; Generation.DoesNotExist for a stranger as for an id that was never given out."""
    return generations_for_user(user).get(pk=generation_id)


def generate(
    *,
    model: TrainedModel,
    owner: User,
    sampling: SamplingConfig,
    on_post: Callable[[str], None] | None = None,
    proceed: Callable[[], None] | None = None,
) -> Generation:
    """`model` has written posts, and how many were refused on the way is known with them.

    `on_post` gets each as it ends; where `proceed` raises, nothing more is written and nothing is kept. GuardKept where
    `owner` may not let it write unguarded.
    """
    require_guards(owner, model, sampling)
    sampling = seeded(sampling)
    writing, seconds = write(model, sampling, on_post=on_post, proceed=proceed)
    return Generation.objects.create(
        model=model,
        owner=owner,
        sampling=sampling.as_dict(),
        posts=writing.posts,
        refused=writing.refused.as_dict(),
        seconds=seconds,
    )


def require_writable(model: TrainedModel, sampling: SamplingConfig) -> None:
    """Returns with the model in memory where it can write so; BadSampling or CheckpointError where not."""
    sampler.check(sampling)
    registry.sampler_of(model)
    if sampling.copy_guard:
        guard_of(model)


def require_guards(user: User, model: TrainedModel, sampling: SamplingConfig) -> None:
    """Returns where what protects people is on, or is the person's to switch off; GuardKept otherwise."""
    if Right.LOOSEN not in rights_of(user, model):
        for name in ("copy_guard", "mask_mentions"):
            if not getattr(sampling, name):
                raise GuardKept(name)


def seeded(sampling: SamplingConfig) -> SamplingConfig:
    """`sampling` with a seed, chosen by chance where it had none, so that the posts can be had once more."""
    return replace(sampling, seed=secrets.randbelow(2**31)) if sampling.seed is None else sampling


def write(
    model: TrainedModel,
    sampling: SamplingConfig,
    *,
    on_post: Callable[[str], None] | None = None,
    proceed: Callable[[], None] | None = None,
) -> tuple[Writing, float]:
    """Posts by `model`, and the seconds that it took. `on_post` and `proceed` as of Sampler.generate."""
    started = time.perf_counter()
    guard = guard_of(model) if sampling.copy_guard else None
    writing = registry.sampler_of(model).generate(sampling, guard=guard, on_post=on_post, proceed=proceed)
    seconds = time.perf_counter() - started
    counters.generation_seconds.observe(seconds)
    counters.generated_posts.inc(len(writing.posts))
    return writing, seconds


def base_of(model: TrainedModel) -> TrainedModel | None:
    """The version of the base model from which this one comes, over however many of people's.

    None for a version itself, whatever that was trained from, and where one between is gone.
    """
    found: TrainedModel | None = model
    while found is not None and not _is_version(found):
        found = found.parent
    return None if found == model else found


def _is_version(model: TrainedModel) -> bool:
    return model.owner_id is None or model.is_base


def evaluate(model: TrainedModel, posts: list[str]) -> Evaluated:
    """How well `model` foresees the posts, and how well the model that it comes from does."""
    base = base_of(model)
    return Evaluated(
        model=evaluation.evaluate(registry.load(model), posts),
        base=base,
        by_base=None if base is None else evaluation.evaluate(registry.load(base), posts),
    )


def learned_posts_for_user(user: Any, model: TrainedModel) -> dict[int, str]:
    """The posts, by key, that `model` has written again according to its report card; its owner's alone to see."""
    keys = [copied["post"] for copied in model.report.get("copies", [])]
    if model.owner_id is None or model.owner_id != user.pk or model.corpus is None or not any(keys):
        return {}
    return dict(model.corpus.posts.filter(pk__in=filter(None, keys)).values_list("pk", "cleaned"))


def can_guard(model: TrainedModel) -> bool:
    """True when there is something to compare the model's posts with."""
    return registry.has_guard(model) or model.corpus_id is not None


def guard_of(model: TrainedModel) -> CopyGuard | None:
    """The posts that `model` and its parents learned from, by their fingerprints.

    A model of an earlier version has none on disk: for it the corpus is read, while that is here. None where nothing is
    known, as of the base model.
    """
    kept = registry.load_guard(model)
    if kept is not None or model.corpus is None:
        return kept
    return _guard_of_corpus(model.corpus, model.posts, guard_of(model.parent) if model.parent else None)


@lru_cache(maxsize=8)
def _guard_of_corpus(corpus: Corpus, posts: int, parent: CopyGuard | None) -> CopyGuard:
    return CopyGuard.of(corpora.training_posts(corpus), beside=parent)


def retire(model: TrainedModel) -> None:
    """Nobody starts from the model any more; those who have it keep it. StillBase for the base model."""
    if not TrainedModel.objects.filter(pk=model.pk, is_base=False).update(retired_at=timezone.now()):
        raise StillBase("The base model cannot be retired: make another one the base model first.")


def bring_back(model: TrainedModel) -> None:
    """The model is no longer retired."""
    TrainedModel.objects.filter(pk=model.pk).update(retired_at=None)
