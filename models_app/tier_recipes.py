"""The recipe of a tier: the settings with which its trainings begin here, if an administrator took those of a trial."""

from __future__ import annotations

from typing import Any

from models_app.models import Tier, TierRecipe


def of(tier: Tier) -> TierRecipe | None:
    return TierRecipe.objects.filter(tier=tier).first()


def all_recipes() -> list[TierRecipe]:
    return list(TierRecipe.objects.order_by("tier"))


def settings_of(tier: Tier) -> dict[str, Any]:
    """Return the settings of the tier's recipe, without the epochs; none if there is no recipe."""
    recipe = of(tier)
    return {} if recipe is None else dict(recipe.settings)


def epochs_of(tier: Tier) -> int | None:
    """Return the epochs of the tier's recipe; None if it names none."""
    recipe = of(tier)
    return None if recipe is None else recipe.epochs


def reset(tier: Tier) -> bool:
    """Go back to the product's own settings; return whether there was a recipe."""
    return TierRecipe.objects.filter(tier=tier).delete()[0] > 0
