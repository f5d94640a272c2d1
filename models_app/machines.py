"""How fast trainings go: measured by the process that waits for them, and told for what the machine has to do now.

What is measured is what a core does in a second, which hardly depends on what else runs. How many cores a training
will have does; that is reckoned from the load of the machine (`cores_left`).
"""

from __future__ import annotations

import math
import os
import platform
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from statistics import median
from typing import Final

from django.db.models import Q
from django.utils import timezone

from botfactory.jobs.kinds import kind_of
from botfactory.jobs.models import Job
from botfactory.jobs.states import HELD
from models_app.ml.training.machine_speed import Measured
from models_app.models import TrainedModel, TrainingMachine

#: Before anything has been measured: what two cores do, 13,300 to 31,000 (docs/benchmarks.md), in characters a second.
TYPICAL_SPEED: Final = 16_000.0
#: How many of the last trainings say how fast they go here.
LAST: Final = 5
#: The load is a mean over the last minute, in which what is older counts less and less.
MINUTE: Final = 60.0
#: No training gets less than this, whatever the load says, which also counts processes that wait for a disk.
MIN_CORES: Final = 0.25
FORGOTTEN: Final = timedelta(days=90)
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Pace:
    """How a training would go now: characters a second, how many times longer all takes than without other work, and
    whether its graphs wait for it already."""

    speed: float
    slowdown: float
    is_prepared: bool


@cache
def this_machine() -> str:
    """The same for all containers of a machine, where their names differ but the load is one."""
    with suppress(OSError):
        return _BOOT.read_text().strip()[:64]
    return platform.node()[:64]


def cores_left(*, wanted: float, cores: float, others: float, weight: float) -> float:
    """How many of the machine's cores a training gets that could use `wanted`, while `others` more are wanted.

    What the others leave, or its fair share, whichever is more: `weight` is that of its process beside one of theirs.
    """
    fair = cores * wanted * weight / (wanted * weight + others)
    return max(MIN_CORES, min(wanted, max(cores - others, fair)))


def load() -> float:
    """How many processes wanted to run, as a mean over the last minute; 0 where nobody knows."""
    with suppress(OSError, AttributeError):
        return os.getloadavg()[0]
    return 0.0


def note(measured: Measured) -> TrainingMachine:
    """This machine has measured so much, in this process, which trains next."""
    host = platform.node()[:255]
    mine = min(measured.cores_used, time.process_time() / MINUTE)
    others = max(0.0, load() - mine - _of_trainings(host, measured.cores_used))
    values = {
        "host": host,
        "cores": measured.cores,
        "cores_used": measured.cores_used,
        "cores_had": measured.cores_had,
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "speed": measured.symbols_per_core_second,
        "others": others,
        "measured_at": timezone.now(),
    }
    machine, _ = TrainingMachine.objects.update_or_create(machine=this_machine(), defaults=values)
    # Of before the machine was started again, or of machines that are gone.
    gone = Q(host=host) | Q(measured_at__lt=timezone.now() - FORGOTTEN)
    TrainingMachine.objects.filter(gone).exclude(pk=machine.pk).delete()
    return machine


def pace() -> Pace:
    """How a training would go that began now: by the last ones that ended here, or else by what was measured."""
    machine = TrainingMachine.objects.order_by("-measured_at").first()
    recent = TrainedModel.objects.filter(characters_per_second__gt=0).order_by("-created_at")
    ended = list(recent.values_list("characters_per_second", "cores_used")[:LAST])
    if machine is None:
        return Pace(median([speed or 0.0 for speed, _ in ended]) if ended else TYPICAL_SPEED, 1.0, False)
    got = _cores_now(machine)
    # Those of earlier versions say nothing of the cores that they had.
    speeds = [(speed or 0.0) / cores * got if cores else speed or 0.0 for speed, cores in ended]
    return Pace(median(speeds) if speeds else machine.speed * got, machine.cores_used / got, True)


def _cores_now(machine: TrainingMachine) -> float:
    others = machine.others
    if machine.machine == this_machine():
        others = max(0.0, load() - _of_trainings(machine.host, machine.cores_used))
    return cores_left(
        wanted=machine.cores_used,
        cores=machine.cores,
        others=others + _beside(machine.host) * machine.cores_used,
        weight=_weight(machine),
    )


def _weight(machine: TrainingMachine) -> float:
    """What a training's process counts beside one of others: as measured, where that was in their way, else as told."""
    had, used, cores, others = machine.cores_had, machine.cores_used, machine.cores, machine.others
    if had > cores - others and had < 0.9 * used:
        # `cores_left` the other way round.
        return min(3.0, max(0.1, had * others / (used * (cores - had))))
    return float(1.25 ** min(0, os.getpriority(os.PRIO_PROCESS, 0) - machine.nice))


def _beside(host: str) -> int:
    """How many trainings would go on beside one that is queued now: one of those of the worker ends before."""
    running = Job.objects.filter(state__in=HELD, kind="fine_tune", worker__startswith=f"{host}:")
    return max(0, running.filter(at_terminal=False).count() - 1) + running.filter(at_terminal=True).count()


def _of_trainings(host: str, cores_used: float) -> float:
    """What jobs that train add to the load of the last minute: they will not run when the next one does."""
    now = timezone.now()
    jobs = Job.objects.filter(queue=kind_of("fine_tune").queue, worker__startswith=f"{host}:", claimed_at__isnull=False)
    recent = jobs.filter(Q(state__in=HELD) | Q(finished_at__gte=now - timedelta(minutes=5)))
    return sum(
        cores_used * (_left(now, ended) - _left(now, claimed))
        for claimed, ended in recent.values_list("claimed_at", "finished_at")
        if claimed is not None
    )


def _left(now: datetime, then: datetime | None) -> float:
    """The weight, of 1, that all before `then` has in a mean over the last minute; 1 for now."""
    return 1.0 if then is None else math.exp(-max(0.0, (now - then).total_seconds()) / MINUTE)
