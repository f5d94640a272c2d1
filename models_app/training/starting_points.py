"""What a person's training may start from."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from models_app.bots import versions
from models_app.bots.errors import ModelRetired, WrongTier
from models_app.bots.rows import Tier, TrainedModel
from models_app.sharing.access import model_for_user, models_for_user
from models_app.training import tiers
from models_app.training.rows import TrainingMachine


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
