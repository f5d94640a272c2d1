"""Models: find them, write with them, evaluate and retire them."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from botfactory.accounts import limits
from botfactory.accounts.models import User
from botfactory.chunks import batches
from botfactory.rest import idempotency
from models_app import guards, loading, model_files, tiers
from models_app.base_models import versions
from models_app.house_bans import house_bans
from models_app.language_advice import foreign_to
from models_app.ml.config import SamplingConfig
from models_app.ml.evaluation import evaluation
from models_app.ml.evaluation.evaluation import Evaluation
from models_app.ml.sampling import sampler
from models_app.ml.sampling.outcome import Writing
from models_app.models import Generation, Tier, TrainedModel, TrainingMachine
from models_app.sharing.rights import Right, rights_of
from tweets import report as reports
from tweets.cleaning import personal
from tweets.cleaning.rules import Links

#: For suggested topics: how many frequent words to choose from, the shortest word, and how many to suggest.
_LOOKED_AT, _SHORTEST_TOPIC, _TOPICS = 20, 4, 5


class ModelError(Exception):
    """Something can't be done with a model. The message tells the person why; `code` is for programs."""

    code = "model_error"


class UnknownModel(ModelError):
    code = "unknown_model"


class BadRequest(ModelError):
    """Something in the request doesn't fit; `param` is the name of the setting, if it is one."""

    code = "bad_request"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class StillBase(ModelError):
    code = "still_base"


class WrongTier(ModelError):
    """The model to start from is of another tier than the one asked for."""

    code = "wrong_tier"
    param = "tier"


class ModelRetired(ModelError):
    code = "model_retired"


class GuardKept(ModelError):
    """The person can't turn off a protection of this model. `param`: which one."""

    code = "guard_kept"

    def __init__(self, param: str) -> None:
        super().__init__(
            _(
                "Only the bot’s owner can turn off copy protection, @name hiding or the check for personal data. Leave "
                "all of them on."
            )
        )
        self.param = param


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The evaluation of a model, and of the base model that it comes from, if that still exists."""

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
    """Return the person's own models. The base model isn't among them; see `bases_for_user`."""
    if not (user.is_authenticated and user.is_active):
        return TrainedModel.objects.none()
    return TrainedModel.objects.filter(owner=user).select_related("owner", "corpus", "parent")


def model_for_user(user: Any, model_id: uuid.UUID) -> TrainedModel:
    """Return the model if the person may see its training. Raises TrainedModel.DoesNotExist for everybody else.

    `sharing` says what others see of a shared model.
    """
    model = TrainedModel.objects.select_related("owner", "corpus", "parent", "job").get(pk=model_id)
    if Right.ORIGIN not in rights_of(user, model):
        raise TrainedModel.DoesNotExist
    return model


def bases() -> list[TrainedModel]:
    """Return the base models that everybody may start from: one of each tier offered here, the default first.

    Raises NoBaseModel without a quick base.
    """
    offer = tiers.offer()
    if offer.trouble is not None:
        raise offer.trouble
    return offer.bases


@dataclass(frozen=True, slots=True)
class Starts:
    """What a person may start from: the base models offered here, and `own`, all their models, the newest first.

    The person's models come without their history and report card, which lists of many don't need.
    """

    offer: tiers.Offer
    own: list[TrainedModel]

    @property
    def own_starts(self) -> list[TrainedModel]:
        return [model for model in self.own if model.retired_at is None and not model.is_base]


def starts_for_user(user: User, machines: Iterable[TrainingMachine] | None = None) -> Starts:
    """Return what `user` may start from, by one query. `machines` as for tiers.training_memory."""
    rows = TrainedModel.objects.filter(Q(owner=user) | versions.candidates()).defer("history", "report")
    known = list(rows.order_by("-created_at"))
    return Starts(tiers.offer(known, machines), [model for model in known if model.owner_id == user.pk])


def own_starts(user: Any) -> QuerySet[TrainedModel]:
    """Return the models of `user` that they may start from, the newest first."""
    return models_for_user(user).filter(retired_at=None, is_base=False)


def bases_for_user(user: Any) -> list[TrainedModel]:
    """Return all that `user` may start from: base models, then their own. Raises NoBaseModel."""
    return [*bases(), *own_starts(user)]


def start_for_user(user: Any, model_id: uuid.UUID | None, tier: Tier | None = None) -> TrainedModel:
    """The model that `user` starts from; without an id the base model of `tier`, or of the first tier offered.

    TrainedModel.DoesNotExist for a stranger, ModelRetired for one from which nobody starts any more, WrongTier for one
    of another tier.
    """
    if model_id is None:
        return versions.base_model(tier or tiers.offered()[0])
    model = model_for_user(user, model_id)
    require_tier(model, tier)
    if model.is_base:
        return versions.base_model(Tier(model.tier))
    if model.retired_at is not None:
        message = _("%(name)s is retired. Start from another model, or from the base model.")
        raise ModelRetired(message % {"name": model.name})
    return model


def require_tier(start: TrainedModel, tier: Tier | None) -> None:
    """Raise WrongTier if the model to start from is of another tier than the one asked for, if any is."""
    if tier is not None and start.tier != tier:
        sentence = _("%(name)s is a %(tier)s model. Leave out the tier, or start from another model.")
        raise WrongTier(sentence % {"name": start.name, "tier": start.tier})


def find_model(text: str, *, user: User | None = None) -> TrainedModel:
    """Return the model named at the terminal: `base`, `fluent`, an id, or `owner/name`.

    With `user`, only what they may see.
    """
    for tier, name in versions.SHIPPED.items():
        if text == name:
            return versions.base_model(tier)
    rows = TrainedModel.objects.select_related("owner")
    if user is not None:
        rows = rows.filter(Q(owner=user) | Q(is_base=True))
    try:
        found = rows.filter(pk=uuid.UUID(text)).first()
    except ValueError:
        owner, _slash, name = text.partition("/")
        found = rows.filter(owner__username=owner, name=name).first() if name else None
    if found is None:
        sentence = _("There is no model %(name)s. Use its id, owner/name, `base` or `fluent`.")
        raise UnknownModel(sentence % {"name": repr(text)})
    return found


def register_limits() -> None:
    """Register how the limits count models. For AppConfig.ready."""
    limits.register_rows("models", TrainedModel, is_stored=True)


def generations_for_user(user: Any) -> QuerySet[Generation]:
    """Return what models wrote for this person. Nobody else sees it."""
    if not (user.is_authenticated and user.is_active):
        return Generation.objects.none()
    return Generation.objects.filter(owner=user).select_related("model__corpus")


def generation_for_user(user: Any, generation_id: uuid.UUID) -> Generation:
    """Return the generation. Raises Generation.DoesNotExist unless it is the person's."""
    return generations_for_user(user).get(pk=generation_id)


def writer_for_user(user: Any, model_id: uuid.UUID) -> TrainedModel:
    """Return the model if it's theirs, a base model, or has written for them: those posts stay theirs.

    Raises TrainedModel.DoesNotExist otherwise.
    """
    generation = generations_for_user(user).filter(model=model_id).first()
    return generation.model if generation else model_for_user(user, model_id)


def delete_generation(generation: Generation) -> None:
    """Delete what a model wrote for a person. Posts of it that they kept stay."""
    with transaction.atomic():
        idempotency.forget(generation.pk)
        generation.delete()


def delete_generations(owner: User, model: uuid.UUID) -> int:
    """Delete everything that the model wrote for this person and return the number of posts. Kept posts stay."""
    rows = Generation.objects.filter(owner=owner, model=model)
    with transaction.atomic():
        written = {pk: len(posts) for pk, posts in rows.values_list("pk", "posts").iterator()}
        idempotency.forget(*written)
        for some in batches(written):
            rows.filter(pk__in=some).delete()
    return sum(written.values())


def generate(*, model: TrainedModel, owner: User, sampling: SamplingConfig) -> Generation:
    """Let `model` write posts in this process, and keep them with what was refused on the way.

    For commands; web processes ask a writer (writing/asking.py). Raises GuardKept where `owner` can't let it write
    unguarded, BadSampling.
    """
    require_guards(owner, model, sampling)
    sampling = settled(sampling, model)
    writing, seconds = write(model, sampling)
    return keep(model, owner, sampling, writing, seconds)


def keep(model: TrainedModel, owner: User, sampling: SamplingConfig, writing: Writing, seconds: float) -> Generation:
    """Keep what `model` has written for `owner`. Raises UnknownModel."""
    with transaction.atomic():
        require_there(model)
        return Generation.objects.create(
            model=model,
            owner=owner,
            sampling=sampling.as_dict(),
            posts=writing.posts,
            refused=writing.refused.as_dict(),
            seconds=seconds,
        )


def require_there(model: TrainedModel) -> None:
    """Keep the model from being deleted until the transaction ends. Raises UnknownModel if it has been."""
    rows = TrainedModel.objects.select_for_update(no_key=True).filter(pk=model.pk)
    if rows.values_list("pk").first() is None:
        raise UnknownModel(_("This bot has just been deleted."))


def require_possible(model: TrainedModel, sampling: SamplingConfig) -> None:
    """Check the settings before any work is done. Raises BadSampling."""
    sampler.check(sampling, model.network["kind"], house_bans())


def require_guards(user: User, model: TrainedModel, sampling: SamplingConfig) -> None:
    """Raise GuardKept if `sampling` turns off a protection that the person can't turn off for this model."""
    if Right.LOOSEN not in rights_of(user, model):
        for name in ("copy_guard", "mask_mentions", "personal_guard"):
            if not getattr(sampling, name):
                raise GuardKept(name)


def settled(sampling: SamplingConfig, model: TrainedModel) -> SamplingConfig:
    """Return `sampling` with all that `model` needs to repeat the posts: a seed, and what is usual for it."""
    if sampling.link_guard is None and _learned_links(model):
        sampling = replace(sampling, link_guard=False)
    return seeded(sampling).usual_for(model.network["kind"])


def _learned_links(model: TrainedModel) -> bool:
    return model.corpus is not None and model.corpus.cleaning_rules.links is Links.KEEP


def seeded(sampling: SamplingConfig) -> SamplingConfig:
    """Return `sampling` with a seed, a random one if it had none, so that the posts can be repeated."""
    return replace(sampling, seed=secrets.randbelow(2**31)) if sampling.seed is None else sampling


def write(model: TrainedModel, sampling: SamplingConfig) -> tuple[Writing, float]:
    """Return posts by `model`, written in this process, and the seconds that it took."""
    started = time.perf_counter()
    guard = guards.guard_of(model) if sampling.copy_guard else None
    writing = loading.sampler_of(model).generate(
        sampling, guard=guard, house=house_bans(), personal=personal.adds, is_foreign=foreign_to(model.corpus)
    )
    return writing, time.perf_counter() - started


def base_of(model: TrainedModel) -> TrainedModel | None:
    """Return the version of the base model that this model comes from, directly or through other bots.

    Returns None for a version itself, and if a bot in between is deleted.
    """
    found: TrainedModel | None = model
    while found is not None and not _is_version(found):
        found = found.parent
    return None if found == model else found


def _is_version(model: TrainedModel) -> bool:
    return model.owner_id is None or model.is_base


def evaluate(model: TrainedModel, posts: list[str], *, proceed: Callable[[], None] | None = None) -> Evaluated:
    """Evaluate the model and the base model that it comes from on the posts.

    Calls `proceed` now and then; if it raises, the work ends.
    """
    base = base_of(model)

    def measured(by: TrainedModel) -> Evaluation:
        on_progress = None if proceed is None else lambda _: proceed()
        context = model_files.context_of(model_files.path_of(by))
        return evaluation.evaluate(loading.load(by), posts, on_progress, context=context)

    return Evaluated(model=measured(model), base=base, by_base=None if base is None else measured(base))


def card_posts_for_user(user: Any, model: TrainedModel) -> dict[int, str]:
    """Return the posts of the report card by key, learned ones that it copied and held-out ones. Only for the owner."""
    keys = [post["post"] for name in ("copies", "surprise") for post in model.report.get(name, [])]
    if model.owner_id is None or model.owner_id != user.pk or model.corpus is None or not any(keys):
        return {}
    return dict(model.corpus.posts.filter(pk__in=filter(None, keys)).values_list("pk", "cleaned"))


def usual_topics_for_user(user: User | None, model: TrainedModel) -> list[str]:
    """Return up to five frequent words of the posts that a fluent bot learned. Only for its owner."""
    if user is None or model.owner_id != user.pk or model.corpus is None or model.tier != Tier.FLUENT:
        return []
    bans = house_bans()
    usual = [line.name for line in reports.top(model.corpus.report, "words", _LOOKED_AT)]
    return [word for word in usual if len(word) >= _SHORTEST_TOPIC and bans.finds(word) is None][:_TOPICS]


def retire(model: TrainedModel) -> None:
    """Keep everybody from starting from the model; existing bots stay. Raises StillBase for the base model."""
    if not TrainedModel.objects.filter(pk=model.pk, is_base=False).update(retired_at=timezone.now()):
        raise StillBase(_("You can’t retire the base model. First make another model the base model."))


def bring_back(model: TrainedModel) -> None:
    """End the retirement of the model."""
    TrainedModel.objects.filter(pk=model.pk).update(retired_at=None)
