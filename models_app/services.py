"""Models: found, written with, measured, retired."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from botfactory.accounts import limits
from botfactory.accounts.models import User
from botfactory.listing import holding
from models_app import guards, registry
from models_app.house_bans import house_bans
from models_app.ml.config import SamplingConfig
from models_app.ml.evaluation import evaluation
from models_app.ml.evaluation.evaluation import Evaluation
from models_app.ml.sampling import sampler
from models_app.ml.sampling.outcome import Writing
from models_app.models import Generation, TrainedModel
from models_app.sharing.rights import Right, rights_of


class ModelError(Exception):
    """A sentence for the person; `code` for programs."""

    code = "model_error"


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
class Evaluated:
    """What a model was measured at, and the base model that it comes from, if that is there."""

    model: Evaluation
    base: TrainedModel | None
    by_base: Evaluation | None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, without the base model's row."""
        return {"model": asdict(self.model), "by_base": None if self.by_base is None else asdict(self.by_base)}

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, base: TrainedModel | None) -> Self:
        by_base = values["by_base"]
        return cls(
            model=Evaluation.from_dict(values["model"]),
            base=base if by_base else None,
            by_base=Evaluation.from_dict(by_base) if by_base else None,
        )


def models_for_user(user: Any) -> QuerySet[TrainedModel]:
    """The models that `user` may see: their own. (The base model is everybody's to start from, by `bases_for_user`.)"""
    if not (user.is_authenticated and user.is_active):
        return TrainedModel.objects.none()
    return TrainedModel.objects.filter(owner=user).select_related("owner", "corpus", "parent")


def find(models: QuerySet[TrainedModel], *, words: str = "", visibility: str = "") -> QuerySet[TrainedModel]:
    """Return those with all the words in their name or that of their posts, for the same people to find."""
    found = models.filter(visibility=visibility) if visibility else models
    return found.filter(holding(words, "name", "corpus_name")).order_by("-created_at", "pk")


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


def register_limits() -> None:
    """What models count is registered with the limits. For AppConfig.ready."""
    limits.register_counter("models", lambda user: TrainedModel.objects.filter(owner=user).count())
    limits.register_counter("stored_mb", _stored_mb)


def _stored_mb(user: User) -> int:
    stored = TrainedModel.objects.filter(owner=user).aggregate(stored=Sum("stored_bytes"))["stored"]
    return limits.megabytes(stored or 0)


def generations_for_user(user: Any) -> QuerySet[Generation]:
    """What models wrote for `user`: nobody else sees it."""
    if not (user.is_authenticated and user.is_active):
        return Generation.objects.none()
    return Generation.objects.filter(owner=user).select_related("model__corpus")


def generation_for_user(user: Any, generation_id: uuid.UUID) -> Generation:
    """The generation; Generation.DoesNotExist for a stranger as for an id that was never given out."""
    return generations_for_user(user).get(pk=generation_id)


def generate(*, model: TrainedModel, owner: User, sampling: SamplingConfig) -> Generation:
    """Let `model` write posts in this process, and keep them with what was refused on the way.

    For commands; web processes ask a writer (writing/asking.py). Raises GuardKept where `owner` can't let it write
    unguarded, BadSampling.
    """
    require_guards(owner, model, sampling)
    sampling = seeded(sampling)
    writing, seconds = write(model, sampling)
    return keep(model, owner, sampling, writing, seconds)


def keep(model: TrainedModel, owner: User, sampling: SamplingConfig, writing: Writing, seconds: float) -> Generation:
    """Keep what `model` has written for `owner`."""
    return Generation.objects.create(
        model=model,
        owner=owner,
        sampling=sampling.as_dict(),
        posts=writing.posts,
        refused=writing.refused.as_dict(),
        seconds=seconds,
    )


def require_possible(sampling: SamplingConfig) -> None:
    """Return if posts can be written like this. It costs nothing. Raises BadSampling."""
    sampler.check(sampling, house_bans())


def require_guards(user: User, model: TrainedModel, sampling: SamplingConfig) -> None:
    """Returns where what protects people is on, or is the person's to switch off; GuardKept otherwise."""
    if Right.LOOSEN not in rights_of(user, model):
        for name in ("copy_guard", "mask_mentions"):
            if not getattr(sampling, name):
                raise GuardKept(name)


def seeded(sampling: SamplingConfig) -> SamplingConfig:
    """`sampling` with a seed, chosen by chance where it had none, so that the posts can be had once more."""
    return replace(sampling, seed=secrets.randbelow(2**31)) if sampling.seed is None else sampling


def write(model: TrainedModel, sampling: SamplingConfig) -> tuple[Writing, float]:
    """Return posts by `model`, written in this process, and the seconds that it took."""
    started = time.perf_counter()
    guard = guards.guard_of(model) if sampling.copy_guard else None
    writing = registry.sampler_of(model).generate(sampling, guard=guard, house=house_bans())
    return writing, time.perf_counter() - started


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


def evaluate(model: TrainedModel, posts: list[str], *, proceed: Callable[[], None] | None = None) -> Evaluated:
    """Measure how well `model` predicts the posts, and how well the model that it comes from does.

    `proceed` is called now and then; what it raises ends the work.
    """
    base = base_of(model)

    def measured(by: TrainedModel) -> Evaluation:
        return evaluation.evaluate(registry.load(by), posts, None if proceed is None else lambda _: proceed())

    return Evaluated(model=measured(model), base=base, by_base=None if base is None else measured(base))


def learned_posts_for_user(user: Any, model: TrainedModel) -> dict[int, str]:
    """The posts, by key, that `model` has written again according to its report card; its owner's alone to see."""
    keys = [copied["post"] for copied in model.report.get("copies", [])]
    if model.owner_id is None or model.owner_id != user.pk or model.corpus is None or not any(keys):
        return {}
    return dict(model.corpus.posts.filter(pk__in=filter(None, keys)).values_list("pk", "cleaned"))


def retire(model: TrainedModel) -> None:
    """Nobody starts from the model any more; those who have it keep it. StillBase for the base model."""
    if not TrainedModel.objects.filter(pk=model.pk, is_base=False).update(retired_at=timezone.now()):
        raise StillBase("The base model cannot be retired: make another one the base model first.")


def bring_back(model: TrainedModel) -> None:
    """The model is no longer retired."""
    TrainedModel.objects.filter(pk=model.pk).update(retired_at=None)
