"""Trainings: planning, queueing and describing them."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from botfactory.accounts import limits
from botfactory.accounts.models import User
from botfactory.jobs import services as jobs
from botfactory.jobs import turns
from botfactory.jobs.errors import NotPossible
from botfactory.jobs.kinds import kind_of
from botfactory.jobs.models import Job
from botfactory.words.translatable import Sentence, mark
from botfactory.words.translation import translated
from models_app.bots import guards, naming
from models_app.bots.errors import BadRequest, ModelError
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.config import MAX_EPOCHS, MIN_EPOCHS, FineTuneConfig, default_epochs_for, traits_of
from models_app.ml.errors import BadSetting
from models_app.ml.training.adapters.config import AdapterConfig
from models_app.sharing.rights import may_go_on_from
from models_app.training import estimates, language_advice, machines, step_memory, tier_recipes, tiers
from tweets.corpora import idle, learning
from tweets.corpora.errors import CorpusError
from tweets.models import Corpus

FINE_TUNE = "fine_tune"
#: The limit that trainings count against.
TRAINING_MINUTES = "training_minutes_a_day"

#: Minutes of a fluent training for which a person can ask, and those that it gets by default.
MIN_MINUTES, MAX_MINUTES, DEFAULT_MINUTES = 1, 600, 3
#: The settings that a person can change, besides the epochs and the seed.
SETTINGS = (
    "batch_size",
    "sequence_length",
    "learning_rate",
    "final_learning_rate",
    "warmup_steps",
    "dropout",
    "clip_norm",
    "beta_2",
    "rounds",
)
#: Those that only one tier has.
QUICK_ONLY: Final = frozenset({"dropout", "rounds"})
#: The most epochs that a person can choose: two are enough for a fluent bot, and take minutes.
MAX_EPOCHS_BY_TIER: Final[Mapping[Tier, int]] = {Tier.QUICK: MAX_EPOCHS, Tier.FLUENT: 3}

#: The settings of a training, by the kind of its network.
Config = FineTuneConfig | AdapterConfig


class BadEpochs(ModelError):
    code = "bad_epochs"
    param = "epochs"


class BadMinutes(ModelError):
    code = "bad_minutes"
    param = "minutes"


class TierNotOffered(ModelError):
    """Bots of this tier can't be trained here."""

    code = "tier_not_offered"
    param = "tier"


class StartUnguarded(ModelError):
    """The starting model has lost its copy guard, so the new bot could copy the posts that it learned."""

    code = guards.GuardLost.code
    param = "model"


@dataclass(frozen=True, slots=True)
class Plan:
    """A training that could be queued: its settings, its estimated duration, what is ahead of it, and what speaks
    against it.
    """

    start: TrainedModel
    config: Config
    seconds: float
    ahead: turns.Ahead
    warning: str


def require_epochs(epochs: int, tier: Tier) -> None:
    most = MAX_EPOCHS_BY_TIER[tier]
    if not MIN_EPOCHS <= epochs <= most:
        if tier == Tier.FLUENT:
            message = _("For a fluent bot, choose %(least)s to %(most)s epochs, not %(epochs)s.")
        else:
            message = _("Choose %(least)s to %(most)s epochs, not %(epochs)s.")
        raise BadEpochs(message % {"least": MIN_EPOCHS, "most": most, "epochs": epochs})


def require_minutes(minutes: int, epochs: int | None, tier: Tier) -> None:
    """Raise BadMinutes unless a training of this tier can be given so many minutes, beside these epochs.

    A quick training takes about a minute anyway, so it ignores them.
    """
    if tier == Tier.FLUENT and epochs is not None:
        raise BadMinutes(_("Choose either minutes or epochs: an epoch reads all posts, however long it takes."))
    if not MIN_MINUTES <= minutes <= MAX_MINUTES:
        message = _("Choose %(least)s to %(most)s minutes, not %(minutes)s.")
        raise BadMinutes(message % {"least": MIN_MINUTES, "most": MAX_MINUTES, "minutes": minutes})


def require_offered(tier: Tier) -> None:
    """Raise TierNotOffered if bots of this tier can't be trained here."""
    if reason := tiers.why_not(tier):
        raise TierNotOffered(reason)


def fine_tune(
    *,
    owner: User,
    corpus: Corpus,
    start: TrainedModel,
    epochs: int | None = None,
    minutes: int | None = None,
    name: str = "",
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    exactly: Config | None = None,
    run_here: bool = False,
) -> Job:
    """Queue a training of `start` on `corpus` that makes a new model of `owner`.

    A fluent training reads what fits into `minutes` (by default DEFAULT_MINUTES), or all posts in each of the `epochs`
    that are asked for. A quick one has `epochs`, by default `default_epochs`. `settings` override fields of the config
    that `auto` would choose; `exactly` are all settings, such as those of a trial, and the seed must be theirs.
    """
    seed = secrets.randbelow(2**31) if seed is None else seed
    with transaction.atomic():
        corpus = idle.lock_ready(corpus)
        require_possible(corpus, start)
        config = exactly or _chosen(corpus, start, epochs, minutes, seed, settings or {})
        name = naming.valid_name(name) if name.strip() else corpus.name
        return jobs.submit(
            owner=owner,
            kind=FINE_TUNE,
            title=Sentence(mark("Train %(name)s"), name=name),
            arguments={
                "corpus": str(corpus.pk),
                "start": str(start.pk),
                "start_name": start.full_name,
                "tokens": start.reads_tokens,
                "name": name,
                "epochs": config.epochs,
                "seed": seed,
                "settings": dict(settings or {}),
                # Stored now, so that the page and the training always agree.
                "chosen": config.as_dict(),
            },
            subject_id=corpus.pk,
            run_here=run_here,
        )


def cannot_go_on_from(start: TrainedModel) -> str:
    """Return what to say where `may_go_on_from` says no."""
    message = _("Only its owner can start from %(name)s. Start from another model, or from the base model.")
    if start.retired_at is not None:
        message = _("%(name)s is retired. Start from another model, or from the base model.")
    return message % {"name": start.name}


def may_start(job: Job) -> None:
    """Raise NotPossible unless the posts and the model to start from are there for it. JobKind: before a retry."""
    start = TrainedModel.objects.filter(pk=job.arguments["start"]).first()
    if start is not None and not may_go_on_from(job.owner, start):
        raise NotPossible(cannot_go_on_from(start))
    require_posts(job)


def require_posts(job: Job) -> None:
    """Raise NotPossible unless there are enough posts and they're ready."""
    try:
        learning.require_enough(idle.lock_ready(Corpus(pk=job.arguments["corpus"])))
    except CorpusError as error:
        raise NotPossible(translated(error)) from error


def plan(
    *,
    owner: User,
    corpus: Corpus,
    start: TrainedModel,
    epochs: int | None = None,
    minutes: int | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Plan:
    """Return what `fine_tune` would queue for these arguments, with the same errors. Queues nothing."""
    require_possible(corpus, start)
    config = _chosen(corpus, start, epochs, minutes, seed or 0, settings or {})
    seconds = _seconds(corpus, start, config.as_dict(), config.epochs)
    return Plan(start, config, seconds, ahead_of_new(owner), language_advice.warning_for(corpus, start))


def usual_reading(
    corpus: Corpus, tier: Tier, minutes: int | None = None, network: Mapping[str, Any] | None = None
) -> estimates.Reading:
    """Return what a training reads if nobody chooses its epochs: a fluent one what fits into its minutes.

    `network`: of the fluent base, else SmolLM2-135M.
    """
    if tier == Tier.FLUENT:
        pace = machines.pace(tier, network)
        return estimates.reading_within(minutes or DEFAULT_MINUTES, corpus.characters, pace=pace)
    return estimates.Reading(0, default_epochs(corpus))


def default_epochs(corpus: Corpus) -> int:
    """Return the epochs of the quick tier's recipe, or the default number for the size of this corpus."""
    return tier_recipes.epochs_of(Tier.QUICK) or default_epochs_for(learned(corpus))


def automatic(corpus: Corpus, tier: Tier = Tier.QUICK, network: Mapping[str, Any] | None = None) -> Config:
    """Return the default settings for training the base model of this tier, which has this network, on this corpus.

    Without its network, they are for the usual one of the tier.
    """
    traits = traits_of(network or {"kind": "llama" if tier == Tier.FLUENT else "glr"})
    epochs = 1 if tier == Tier.FLUENT else default_epochs(corpus)
    return _by_recipe(learned(corpus), epochs, 0, {}, tier, **traits)


def learned(corpus: Corpus) -> int:
    """Return about how many characters of the corpus are in the training split."""
    return estimates.split_off(corpus.characters)


def _chosen(
    corpus: Corpus,
    start: TrainedModel,
    epochs: int | None,
    minutes: int | None,
    seed: int,
    settings: Mapping[str, Any],
) -> Config:
    tier = Tier(start.tier)
    if minutes is not None:
        require_minutes(minutes, epochs, tier)
    if epochs is not None:
        require_epochs(epochs, tier)
    reading = usual_reading(corpus, tier, minutes, start.network) if epochs is None else estimates.Reading(0, epochs)
    traits = {**traits_of(start.network), "most_characters": reading.most_characters}
    return _by_recipe(learned(corpus), reading.epochs, seed, settings, tier, **traits)


def _by_recipe(characters: int, epochs: int, seed: int, settings: Mapping[str, Any], tier: Tier, **more: Any) -> Config:
    """Return the config with these settings, and for the others those of the tier's recipe.

    If they don't go together, such as more rounds than epochs, the recipe doesn't count.
    """
    recipe = tier_recipes.settings_of(tier)
    if recipe:
        try:
            return training_config(characters, epochs, seed, recipe | dict(settings), **more)
        except BadRequest:
            pass
    return training_config(characters, epochs, seed, settings, **more)


def require_possible(corpus: Corpus, start: TrainedModel) -> None:
    """Raise unless a bot can be trained here, on these posts and from this model, whatever its settings."""
    require_offered(Tier(start.tier))
    learning.require_enough(corpus)
    if guards.state_of(start) is guards.State.LOST:
        message = _(
            "You can’t start from %(name)s: its copy protection is missing, and the posts that it learned are deleted. "
            "Start from another bot, or from the base model."
        )
        raise StartUnguarded(message % {"name": start.name})


def details(job: Job) -> dict[str, Any]:
    """Return the arguments of a training and the settings chosen for it."""
    asked = job.arguments
    set_by_hand = {"epochs": asked.get("epochs"), "seed": asked.get("seed"), **asked.get("settings", {})}
    return {
        "model": asked.get("start"),
        "model_name": asked.get("start_name"),
        "name": asked.get("name"),
        "hyperparameters": asked.get("chosen", set_by_hand),
    }


def training_config(
    characters: int,
    epochs: int,
    seed: int,
    settings: Mapping[str, Any],
    *,
    kind: str = "glr",
    tokens: bool = False,
    most_characters: int = 0,
) -> Config:
    """Return the automatic settings for this kind of network and corpus size, overridden by `settings`.

    `tokens`: whether a network of our own reads tokens; `most_characters`: the most that an epoch of a fluent training
    reads (0: all).
    Raises BadRequest for unknown or invalid settings, and for steps that would need too much memory.
    """
    is_adapter = kind == "llama"
    names = [name for name in SETTINGS if not (is_adapter and name in QUICK_ONLY)]
    unknown = sorted(set(settings) - set(names))
    if unknown:
        if unknown[0] in SETTINGS:
            message = _("A fluent training has no %(name)s. You can set: %(names)s.")
        else:
            message = _("There is no setting %(name)s. You can set: %(names)s.")
        raise BadRequest(message % {"name": unknown[0], "names": ", ".join(names)}, unknown[0])
    characters = max(1, characters)
    config: Config
    try:
        if is_adapter:
            config = AdapterConfig.auto(
                characters=characters, epochs=epochs, most_characters=most_characters, seed=seed, **settings
            )
        else:
            config = FineTuneConfig.auto(
                characters=characters, epochs=epochs, seed=seed, kind=kind, tokens=tokens, **settings
            )
    except ValueError as error:
        name = error.values.get("name") if isinstance(error, BadSetting) else None
        raise BadRequest(translated(error), name if name in SETTINGS else None) from error
    size = {"batch_size": config.batch_size, "sequence_length": config.sequence_length}
    if trouble := step_memory.trouble(is_adapter=is_adapter, **size):
        raise BadRequest(trouble, "batch_size")
    return config


def config_from(chosen: Mapping[str, Any]) -> Config:
    """Return the settings that `as_dict` wrote."""
    values = dict(chosen)
    return AdapterConfig.from_dict(values) if values.get("kind") == "adapter" else FineTuneConfig.from_dict(values)


def _seconds(corpus: Corpus, start: TrainedModel, chosen: Mapping[str, Any], epochs: int) -> float:
    """Return about how long a training from this model with these settings takes."""
    reading, tier = estimates.Reading(int(chosen.get("most_characters", 0)), epochs), Tier(start.tier)
    return estimates.seconds_of(corpus.characters, tier, reading, pace=machines.pace(tier, start.network))


def needs(job: Job) -> dict[str, int]:
    """Return how much of its owner's limits a training uses."""
    corpus = Corpus.objects.filter(pk=job.arguments["corpus"]).first()
    start = TrainedModel.objects.filter(pk=job.arguments["start"]).first()
    if corpus is None or start is None:
        return {}  # the job itself reports what's missing
    seconds = _seconds(corpus, start, job.arguments.get("chosen", {}), job.arguments["epochs"])
    return {
        "models": 1,
        TRAINING_MINUTES: math.ceil(seconds / 60),
        # It has the same network as its parent.
        "stored_mb": max(1, limits.megabytes(start.stored_bytes)),
    }


def ahead_of_new(user: User) -> turns.Ahead:
    """Return which running and waiting trainings are ahead of one that the person submits now."""
    return turns.ahead_of_new(kind_of(FINE_TUNE).queue, user.pk)
