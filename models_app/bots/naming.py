"""Names of bots and of versions of the base model: valid ones, free ones, and what people call them."""

from __future__ import annotations

from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from botfactory.words.plurals import on_one_line
from models_app.bots.rows import Tier, TrainedModel

MAX_NAME = 80


class NameTaken(Exception):
    code = "name_taken"


class BadName(NameTaken):
    code = "bad_name"
    param = "name"


def valid_name(name: str) -> str:
    """Return the name of a bot on one line. Raises BadName if it's empty or too long."""
    name = on_one_line(name)
    if not 1 <= len(name) <= MAX_NAME:
        message = _("A name must have 1 to %(most)s characters, but this one has %(count)s. Choose another.")
        raise BadName(message % {"most": MAX_NAME, "count": len(name)})
    return name


def free_name(owner: User, wanted: str) -> str:
    """Return `wanted`, or the first of `wanted 2`, `wanted 3`, ... that the owner hasn't used yet."""
    wanted = on_one_line(wanted)[:MAX_NAME] or "Bot"
    # Includes every possible `wanted 2`, `wanted 3`, ..., which cut off the end of a long name.
    taken = TrainedModel.objects.filter(owner=owner, name__startswith=wanted[: MAX_NAME - 8])
    return _first_free(wanted, set(taken.values_list("name", flat=True)))


def free_version_name(wanted: str) -> str:
    """Return `wanted`, or the first of `wanted 2`, `wanted 3`, ... that no version of the base model has."""
    taken = TrainedModel.objects.filter(owner=None, name__startswith=wanted)
    return _first_free(wanted, set(taken.values_list("name", flat=True)))


def _first_free(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        end = f" {number}"
        name, number = wanted[: MAX_NAME - len(end)] + end, number + 1
    return name


def called(model: TrainedModel) -> str:
    """Return what people call the model. A base model's own name is one of the server's directories."""
    if model.is_base:
        return _("The fluent base model") if model.tier == Tier.FLUENT else _("The base model")
    return model.name


def shown(model: TrainedModel) -> str:
    """Return what people call the model, with the tier of a bot."""
    name = called(model)
    return name if model.is_base else _("%(name)s (%(tier)s)") % {"name": name, "tier": model.get_tier_display()}
