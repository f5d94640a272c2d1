"""The speed of trainings: measured by the process that waits for them, adjusted to the current load of the machine.

The measured value is the speed of one core, which hardly depends on other load. The number of cores that a training
gets does depend on it; `cores_left` estimates that from the load.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from statistics import median
from typing import Final

from django.db.models import Q, QuerySet
from django.utils import timezone

from botfactory.jobs import processes
from botfactory.jobs.kinds import kind_of
from botfactory.jobs.models import Job
from botfactory.jobs.states import HELD
from botfactory.ops.machine import memory
from models_app import machine_load
from models_app.machine_load import MINUTE, Load
from models_app.ml.training.machine_speed import Measured
from models_app.models import Tier, TrainedModel, TrainingMachine

#: The assumed speed of two cores before any measurement, in characters per second. Quick: they reach 13,300 to 31,000
#: with a base of bytes (docs/benchmarks.md), and 1.5 to 1.8 times as many with one of tokens and two layers; each
#: further layer, about 0.8 times that. Fluent: about 400 symbols of 4 characters, if the processor multiplies bfloat16.
TYPICAL_SPEED: Final[Mapping[Tier, float]] = {Tier.QUICK: 21_000.0, Tier.FLUENT: 1_600.0}
#: Only quick trainings are measured beforehand. A fluent one takes as long for a character as a quick one for so many
#: products by weights: 25.9 million were measured with a base of bytes, 25.5 and 26.6 with ones of tokens
#: (docs/fluent.md).
FLUENT_PRODUCTS: Final = 25.7e6
#: The number of recent trainings to judge the speed by.
LAST: Final = 5
#: The least that a training gets. The load also counts processes that wait for a disk.
MIN_CORES: Final = 0.25
FORGOTTEN: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a training would be now.

    speed: characters per second; slowdown: how many times longer everything takes than on an idle machine;
    is_prepared: whether its graphs are already built.
    """

    speed: float
    slowdown: float
    is_prepared: bool

    @property
    def idle(self) -> Pace:
        """The pace if nothing else ran on the machine."""
        return Pace(self.speed * self.slowdown, 1.0, self.is_prepared)


def cores_left(*, wanted: float, cores: float, others: float, weight: float) -> float:
    """Return the number of cores that a training gets if it could use `wanted` and other work wants `others`.

    That is what the others leave or its fair share, whichever is more. `weight`: the weight of its process relative to
    one of theirs.
    """
    fair = cores * wanted * weight / (wanted * weight + others)
    return max(MIN_CORES, min(wanted, max(cores - others, fair)))


def note(
    measured: Measured, *, characters_per_symbol: float = 1.0, products_per_symbol: float = 0.0
) -> TrainingMachine:
    """Store what this process, which trains next, has measured on this machine.

    products_per_symbol: of the base model that it has measured (`registry.products_per_symbol`), 0 if unknown.
    """
    host = processes.here()
    mine = min(measured.cores_used, time.process_time() / MINUTE)
    load = Load(machine_load.of_last_minute())
    others = max(0.0, load.mean - mine - _Trainings.on(host).in_load(load, measured.cores_used))
    values = {
        "host": host,
        "cores": measured.cores,
        "cores_used": measured.cores_used,
        "cores_had": measured.cores_had,
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "speed": measured.symbols_per_core_second * characters_per_symbol,
        "products": products_per_symbol / characters_per_symbol,
        "others": others,
        "memory": memory(),
        "measured_at": timezone.now(),
    }
    machine, _ = TrainingMachine.objects.update_or_create(machine=processes.boot(), defaults=values)
    # Rows from before a machine was restarted, or of machines that no longer exist.
    TrainingMachine.objects.filter(measured_at__lt=timezone.now() - FORGOTTEN).delete()
    return machine


def known() -> list[TrainingMachine]:
    """Return the machines that train, the last measured first."""
    return list(TrainingMachine.objects.order_by("-measured_at"))


def pace(tier: Tier = Tier.QUICK) -> Pace:
    """Return how fast a training of this tier would be now, judging by recent ones, or else by the measurement.

    Only quick trainings are measured and prepared in advance. The speed of fluent ones follows from that measurement.
    """
    return paces([tier], known())[tier]


def speed_when_idle(tier: Tier) -> float:
    """Return the characters per second of a training of this tier's shipped base on the idle machine that trains.

    That is judged by the measurement alone, because recent trainings may have been of other bases. Without one, it's
    the speed of a typical machine.
    """
    machine = TrainingMachine.objects.order_by("-measured_at").first()
    return TYPICAL_SPEED[tier] if machine is None else _of_core(machine, tier) * machine.cores_used


def paces(tiers: Collection[Tier], machines: list[TrainingMachine]) -> dict[Tier, Pace]:
    """Return the pace of each of these tiers, by two queries. `machines`: those that are `known`."""
    machine = next(iter(machines), None)
    got = None if machine is None else _cores_now(machine)
    ended: dict[str, list[tuple[float, float | None]]] = {tier: [] for tier in tiers}
    for tier, speed, cores in _recent(tiers).values_list("tier", "characters_per_second", "cores_used"):
        ended[tier].append((speed or 0.0, cores))
    return {tier: _pace(tier, ended[tier], machine, got) for tier in tiers}


def _recent(tiers: Collection[Tier]) -> QuerySet[TrainedModel]:
    """Return the last few models of each tier whose speed is known."""
    measured = TrainedModel.objects.filter(characters_per_second__gt=0).order_by("-created_at")
    return measured.filter(reduce(or_, (Q(pk__in=measured.filter(tier=tier).values("pk")[:LAST]) for tier in tiers)))


def _pace(
    tier: Tier, ended: list[tuple[float, float | None]], machine: TrainingMachine | None, got: float | None
) -> Pace:
    if machine is None or got is None:
        return Pace(median([speed for speed, _ in ended]) if ended else TYPICAL_SPEED[tier], 1.0, False)
    # Trainings of early versions didn't store their cores.
    speeds = [speed / cores * got if cores else speed for speed, cores in ended]
    speed = median(speeds) if speeds else _of_core(machine, tier) * got
    return Pace(speed, machine.cores_used / got, tier == Tier.QUICK)


def _of_core(machine: TrainingMachine, tier: Tier) -> float:
    """Return the characters per second of each core that a training gets."""
    if tier == Tier.QUICK:
        return machine.speed
    if not machine.products:
        # An earlier version measured it.
        return machine.speed * TYPICAL_SPEED[Tier.FLUENT] / TYPICAL_SPEED[Tier.QUICK]
    return machine.speed * machine.products / FLUENT_PRODUCTS


def _cores_now(machine: TrainingMachine) -> float:
    recent = _Trainings.on(machine.host)
    others = machine.others
    if machine.machine == processes.boot():
        load = machine_load.lately()
        others = max(0.0, load.mean - recent.in_load(load, machine.cores_used))
    return cores_left(
        wanted=machine.cores_used,
        cores=machine.cores,
        others=others + recent.beside * machine.cores_used,
        weight=_weight(machine),
    )


def _weight(machine: TrainingMachine) -> float:
    """Return the weight of a training's process: measured if it had competition, otherwise from its nice value."""
    had, used, cores, others = machine.cores_had, machine.cores_used, machine.cores, machine.others
    if had > cores - others and had < 0.9 * used:
        # The inverse of `cores_left`.
        return min(3.0, max(0.1, had * others / (used * (cores - had))))
    return float(1.25 ** min(0, os.getpriority(os.PRIO_PROCESS, 0) - machine.nice))


@dataclass(frozen=True, slots=True)
class _Trainings:
    """The trainings of a host that run or have just ended: kind, queue, state, at_terminal, claimed_at, finished_at."""

    now: datetime
    jobs: list[tuple[str, str, str, bool, datetime | None, datetime | None]]

    @classmethod
    def on(cls, host: str) -> _Trainings:
        now = timezone.now()
        jobs = Job.objects.filter(Q(queue=kind_of("fine_tune").queue) | Q(kind="fine_tune"))
        recent = jobs.filter(Q(state__in=HELD) | Q(finished_at__gte=now - timedelta(minutes=5)))
        columns = ("kind", "queue", "state", "at_terminal", "claimed_at", "finished_at")
        return cls(now, list(recent.filter(worker__startswith=f"{host}:").order_by().values_list(*columns)))

    @property
    def beside(self) -> int:
        """The number of trainings that would run beside one queued now. One of the worker's own ends first."""
        running = [
            at_terminal for kind, _, state, at_terminal, _, _ in self.jobs if kind == "fine_tune" and state in HELD
        ]
        return max(0, running.count(False) - 1) + running.count(True)

    def in_load(self, load: Load, cores_used: float) -> float:
        """Return how much of the load they are. They won't run when the next one does."""
        queue = kind_of("fine_tune").queue
        return sum(
            cores_used * (self._share_until(load, ended) - self._share_until(load, claimed))
            for _, of, _, _, claimed, ended in self.jobs
            if of == queue and claimed is not None
        )

    def _share_until(self, load: Load, then: datetime | None) -> float:
        return 1.0 if then is None else load.share_until((self.now - then).total_seconds())
