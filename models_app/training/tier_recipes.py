"""The recipe of a tier: the settings with which its trainings begin here, if an administrator took those of a trial.

Recipes are part of the house rules, which every page reads anyway.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction

from botfactory.accounts import rules
from botfactory.accounts.models import HouseRules
from models_app.bots.rows import Tier


@dataclass(frozen=True, slots=True)
class TierRecipe:
    """Settings of a training, the epochs of a quick one, and the trial that they come from."""

    tier: str
    settings: dict[str, Any]
    epochs: int | None
    search_name: str
    trial: int
    by_name: str
    made_on: str


def of(tier: Tier) -> TierRecipe | None:
    """Return the recipe of the tier; None if its trainings begin with the recommended settings."""
    found = rules.house_rules().tier_recipes.get(tier)
    return None if found is None else TierRecipe(**found)


def all_recipes() -> list[TierRecipe]:
    return [recipe for tier in Tier if (recipe := of(tier)) is not None]


def settings_of(tier: Tier) -> dict[str, Any]:
    """Return the settings of the tier's recipe, without the epochs; none if there is no recipe."""
    recipe = of(tier)
    return {} if recipe is None else dict(recipe.settings)


def epochs_of(tier: Tier) -> int | None:
    """Return the epochs of the tier's recipe; None if it names none."""
    recipe = of(tier)
    return None if recipe is None else recipe.epochs


def keep(recipe: TierRecipe) -> TierRecipe:
    """Make this the recipe of its tier."""
    _change(Tier(recipe.tier), asdict(recipe))
    return recipe


def reset(tier: Tier) -> bool:
    """Go back to the recommended settings; return whether there was a recipe."""
    return _change(tier, None)


def _change(tier: Tier, value: dict[str, Any] | None) -> bool:
    with transaction.atomic():
        rules.row()
        row = HouseRules.objects.select_for_update().get(pk=HouseRules.THE_ROW)
        was_there = row.tier_recipes.pop(str(tier), None) is not None
        if value is not None:
            row.tier_recipes[str(tier)] = value
        row.save(update_fields=["tier_recipes"])
    return was_there
