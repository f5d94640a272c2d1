"""The tiers that people can choose from here, and why one is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from botfactory.ops import machine
from botfactory.words.translation import translated
from models_app.bots import versions
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.training.adapters import memory
from models_app.training.rows import TrainingMachine

#: Bytes of memory that a machine needs at least to train fluent bots: those for SmolLM2-135M.
NEEDED_MEMORY: Final = 4 * 10**9
#: Bytes of all that runs beside the training and the writer: web processes, broker, database and the system.
OTHERS: Final = 1_600_000_000


@dataclass(frozen=True, slots=True)
class Offer:
    """The base models that new bots can start from here, the default first, and why others are missing.

    why_not_fluent: a sentence, or "" if fluent bots are offered; trouble: why there is no quick base model.
    """

    bases: list[TrainedModel]
    why_not_fluent: str
    trouble: versions.NoBaseModel | None


def offer(rows: Iterable[TrainedModel] | None = None, machines: Iterable[TrainingMachine] | None = None) -> Offer:
    """Return what is offered. It needs up to two queries: for `rows` (versions.base_models) and for `machines`."""
    found = versions.base_models([Tier.QUICK] if settings.FLUENT == "off" else [Tier.FLUENT, Tier.QUICK], rows)
    reason = _why_not_fluent(found.get(Tier.FLUENT), machines)
    quick = found[Tier.QUICK]
    return Offer(
        bases=[
            base
            for tier, base in found.items()
            if isinstance(base, TrainedModel) and not (tier == Tier.FLUENT and reason)
        ],
        why_not_fluent=reason,
        trouble=quick if isinstance(quick, versions.NoBaseModel) else None,
    )


def offered() -> list[Tier]:
    """Return the tiers that new bots can have here, the default first."""
    return [tier for tier in (Tier.FLUENT, Tier.QUICK) if not why_not(tier)]


def why_not(tier: Tier) -> str:
    """Return the sentence that says why nobody can train a bot of this tier here, or "" if it's offered."""
    if tier == Tier.QUICK:
        return ""
    return _why_not_fluent(None if settings.FLUENT == "off" else versions.base_models([tier])[tier])


def _why_not_fluent(
    base: TrainedModel | versions.NoBaseModel | None, machines: Iterable[TrainingMachine] | None = None
) -> str:
    if base is None:
        return _("Fluent bots are switched off on this server.")
    if isinstance(base, versions.NoBaseModel):
        return translated(base)
    return too_large(base, machines)


def too_large(base: TrainedModel, machines: Iterable[TrainingMachine] | None = None) -> str:
    """Return why this machine lacks the memory to train from a fluent base, as a sentence, or "" if it doesn't."""
    if settings.FLUENT == "auto":
        there, needed = training_memory(machines), needed_memory(base)
        if there is not None and there < needed:
            sentence = _("This machine has %(memory)s GB of memory; fluent bots need %(needed)s GB.")
            return sentence % {"memory": gigabytes(there), "needed": gigabytes(needed)}
    return ""


def needed_memory(base: TrainedModel) -> int:
    """Return about how many bytes of memory a machine needs to train a bot from this fluent base."""
    config = LlamaConfig.from_dict(base.network)
    return max(NEEDED_MEMORY, memory.bytes_to_train(config) + memory.bytes_to_write(config) + OTHERS)


def training_memory(machines: Iterable[TrainingMachine] | None = None) -> int | None:
    """Return the memory of the machine that trains, in bytes: as its trainer noted it, else that of this one.

    `machines`: all that are known, the last measured first.
    """
    known = TrainingMachine.objects.order_by("-measured_at") if machines is None else machines
    noted = next((row.memory for row in known if row.memory is not None), None)
    return machine.memory() if noted is None else noted


def gigabytes(size: int) -> str:
    amount = round(size / 10**9, 1)
    return number_format(amount, 0 if amount == int(amount) else 1)
