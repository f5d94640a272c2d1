"""The trials of a search for one person's bot: fine-tunes on the same posts, from the same model, by the same split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext as _

from botfactory.words.translation import translated
from models_app.bots.errors import BadRequest
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.config import FineTuneConfig, traits_of
from models_app.ml.training.adapters.config import AdapterConfig
from models_app.search import space as spaces
from models_app.search.rows import Search
from models_app.search.space import Value, types_of
from models_app.training import estimates, machines, planning
from tweets.models import Corpus

#: The space that comes with the product for each tier.
USUAL: Final[Mapping[Tier, str]] = {Tier.QUICK: "quick", Tier.FLUENT: "fluent"}


def kinds(tier: Tier) -> dict[str, type]:
    """Return the settings that trials of this tier can vary, each with the type of its values."""
    if tier == Tier.FLUENT:
        return types_of(AdapterConfig, [name for name in planning.SETTINGS if name not in planning.QUICK_ONLY])
    return types_of(FineTuneConfig, ("epochs", *planning.SETTINGS))


def common(corpus: Corpus, start: TrainedModel, minutes: int | None) -> dict[str, Any]:
    """Return what all trials have in common. It's stored, so that cleaning or a faster machine changes nothing."""
    tier = Tier(start.tier)
    told: dict[str, Any] = {
        **traits_of(start.network),
        "characters": planning.learned(corpus),
    }
    if tier == Tier.FLUENT:
        minutes = planning.DEFAULT_MINUTES if minutes is None else minutes
        planning.require_minutes(minutes, None, tier)
        told["minutes"] = minutes
    elif minutes is not None:
        raise planning.BadMinutes(_("Only a fluent training has a time. For a quick one, choose the epochs."))
    reading = planning.usual_reading(corpus, tier, minutes, start.network)
    return told | {"epochs": reading.epochs, "most_characters": reading.most_characters}


def checked(given: Mapping[str, Any], corpus: Corpus, start: TrainedModel, told: dict[str, Any]) -> spaces.Space:
    """Return the space, and add to `told` after how many steps a trial ends. Raises BadSpace."""
    tier = Tier(start.tier)

    def check(name: str, value: Value) -> None:
        if name == "epochs":
            planning.require_epochs(int(value), tier)
        config_of(told, {name: value}, seed=0)

    space = spaces.parsed(given, kinds(tier), check)
    try:
        config_of(told, spaces.largest_step(space), seed=0)
    except BadRequest as error:
        raise spaces.BadSpace(translated(error)) from error
    if tier == Tier.FLUENT:
        config = config_of(told, {}, seed=0)
        told["steps"] = config.points if isinstance(config, AdapterConfig) else 1
    else:
        epochs = space.get("epochs")
        told["steps"] = told["epochs"] if epochs is None else max(map(int, epochs.ends()))
    return space


def config_of(told: Mapping[str, Any], parameters: Mapping[str, Any], *, seed: int) -> planning.Config:
    """Return the settings of a trial with these parameters. Raises BadRequest if they don't go together."""
    values = dict(parameters)
    epochs = values.pop("epochs", told["epochs"])
    return planning.training_config(
        told["characters"],
        epochs,
        seed,
        values,
        kind=told["kind"],
        # A search that an earlier version has begun doesn't say it.
        tokens=told.get("tokens", False),
        most_characters=told["most_characters"],
    )


def seconds_of_a_trial(search: Search) -> float:
    """Return about how long a trial takes that doesn't end early."""
    assert search.corpus is not None
    told = search.settings
    tier = Tier.of({"kind": told["kind"]})
    epochs = spaces.stored(search.space).get("epochs")
    mean = told["epochs"] if epochs is None else epochs.middle()
    reading = estimates.Reading(told["most_characters"], round(mean))
    pace = machines.pace(tier, None if search.start is None else search.start.network)
    return estimates.seconds_of(search.corpus.characters, tier, reading, pace=pace)
