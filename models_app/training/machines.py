"""The speed of trainings: that of the last ones here, else what the process that waits for them has measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import or_
from statistics import median
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils import timezone

from botfactory.jobs import processes
from botfactory.ops.machine import memory
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.training.adapters.memory import products_per_symbol
from models_app.training.rows import TrainingMachine

#: The assumed speed of two cores before any measurement, in characters per second. Quick: they reach 13,300 to 31,000
#: with a base of bytes (docs/benchmarks.md), and 1.5 to 1.8 times as many with one of tokens and two layers; each
#: further layer, about 0.8 times that. Fluent: about 400 symbols of 4 characters, if the processor multiplies bfloat16.
TYPICAL_SPEED: Final[Mapping[Tier, float]] = {Tier.QUICK: 21_000.0, Tier.FLUENT: 1_600.0}
#: Only quick trainings are measured beforehand. A fluent one from SmolLM2-135M takes as long for a character as a quick
#: one for so many products by weights: 25.9 million were measured with a base of bytes, 25.5 and 26.6 with ones of
#: tokens (docs/fluent.md). With another model, it takes longer by its own products.
FLUENT_PRODUCTS: Final = 25.7e6
#: The products of a symbol with SmolLM2-135M.
SMOLLM2_PRODUCTS: Final = 134_479_872
#: The number of recent trainings to judge the speed by.
LAST: Final = 5
FORGOTTEN: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a training is: characters per second, and whether its graphs are already built."""

    speed: float
    is_prepared: bool = False


def note(
    symbols_per_second: float, *, characters_per_symbol: float = 1.0, products_per_symbol: float = 0.0
) -> TrainingMachine:
    """Store how fast this machine trains the quick base model, as measured by this process, which trains next.

    products_per_symbol: of that base model (`registry.products_per_symbol`), 0 if unknown.
    """
    host = processes.here()
    values = {
        "host": host,
        "speed": symbols_per_second * characters_per_symbol,
        "products": products_per_symbol / characters_per_symbol,
        "memory": memory(),
        "measured_at": timezone.now(),
    }
    machine, _ = TrainingMachine.objects.update_or_create(machine=processes.boot(), defaults=values)
    # Rows from before the machine was restarted, or of machines that no longer exist.
    gone = Q(host=host) | Q(measured_at__lt=timezone.now() - FORGOTTEN)
    TrainingMachine.objects.filter(gone).exclude(pk=machine.pk).delete()
    return machine


def known() -> list[TrainingMachine]:
    """Return the machines that train, the last measured first."""
    return list(TrainingMachine.objects.order_by("-measured_at"))


def pace(tier: Tier = Tier.QUICK, network: Mapping[str, Any] | None = None) -> Pace:
    """Return how fast a training of this tier is: the median of the last ones, else what was measured.

    Only quick trainings are measured and prepared in advance. The speed of fluent ones follows from that measurement.
    `network`: of the fluent base; without it, SmolLM2-135M.
    """
    return paces({tier: network}, known())[tier]


def measured_speed(tier: Tier) -> float:
    """Return the characters per second of a training of this tier's shipped base, by the measurement alone.

    Without a measurement, it's the speed of a typical machine.
    """
    return _measured(tier, TrainingMachine.objects.order_by("-measured_at").first())


def times_as_long(network: Mapping[str, Any] | None) -> float:
    """Return how many times as long as with SmolLM2-135M a fluent training takes with this network.

    That's by their products by weights (`benchmarks.sizes`). Nobody has measured how much faster smaller networks are,
    so they take as long.
    """
    if network is None or network.get("kind") != "llama":
        return 1.0
    return max(1.0, products_per_symbol(LlamaConfig.from_dict(dict(network))) / SMOLLM2_PRODUCTS)


def paces(networks: Mapping[Tier, Mapping[str, Any] | None], machines: list[TrainingMachine]) -> dict[Tier, Pace]:
    """Return the pace of each of these tiers with this network, by one query. `machines`: those that are `known`."""
    machine = next(iter(machines), None)
    ended: dict[str, list[float]] = {tier: [] for tier in networks}
    for tier, speed, learned in _recent(networks).values_list("tier", "characters_per_second", "network"):
        # As if it had been of SmolLM2-135M, or a quick one.
        ended[tier].append((speed or 0.0) * times_as_long(learned))
    return {
        tier: Pace(
            (median(ended[tier]) if ended[tier] else _measured(tier, machine)) / times_as_long(network),
            is_prepared=tier == Tier.QUICK and machine is not None,
        )
        for tier, network in networks.items()
    }


def _recent(tiers: Iterable[Tier]) -> QuerySet[TrainedModel]:
    """Return the last few models of each tier whose speed is known."""
    measured = TrainedModel.objects.filter(characters_per_second__gt=0).order_by("-created_at")
    return measured.filter(reduce(or_, (Q(pk__in=measured.filter(tier=tier).values("pk")[:LAST]) for tier in tiers)))


def _measured(tier: Tier, machine: TrainingMachine | None) -> float:
    if machine is None:
        return TYPICAL_SPEED[tier]
    if tier == Tier.QUICK:
        return machine.speed
    if not machine.products:
        # An earlier version measured it.
        return machine.speed * TYPICAL_SPEED[Tier.FLUENT] / TYPICAL_SPEED[Tier.QUICK]
    return machine.speed * machine.products / FLUENT_PRODUCTS
