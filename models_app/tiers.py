"""The tiers that people can choose from here, and why one is missing."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _

from botfactory.ops import machine
from botfactory.translation import translated
from models_app.base_models import versions
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.models import Tier, TrainedModel, TrainingMachine

#: The pretrained model that the figures come from, SmolLM2-135M.
PARAMETERS: Final = 134_515_008
#: Bytes of memory that a machine needs to train a fluent bot from it.
NEEDED_MEMORY: Final = 4 * 10**9


def offered() -> list[Tier]:
    """Return the tiers that new bots can have here, the default first."""
    return [tier for tier in (Tier.FLUENT, Tier.QUICK) if not why_not(tier)]


def why_not(tier: Tier) -> str:
    """Return the sentence that says why nobody can train a bot of this tier here, or "" if it's offered."""
    if tier == Tier.QUICK:
        return ""
    if settings.FLUENT == "off":
        return _("Fluent bots are switched off on this server.")
    try:
        base = versions.base_model(tier)
    except versions.NoBaseModel as error:
        return translated(error)
    memory, needed = training_memory(), needed_memory(base)
    if settings.FLUENT == "auto" and memory is not None and memory < needed:
        sentence = _("This machine has %(memory)s GB of memory; fluent bots need %(needed)s GB.")
        return sentence % {"memory": gigabytes(memory), "needed": gigabytes(needed)}
    return ""


def needed_memory(base: TrainedModel) -> int:
    """Return about how many bytes of memory a machine needs to train a bot from this fluent base."""
    parameters = LlamaConfig.from_dict(base.network).parameters
    return max(NEEDED_MEMORY, round(NEEDED_MEMORY * parameters / PARAMETERS))


def training_memory() -> int | None:
    """Return the memory of the machine that trains, in bytes: as its trainer noted it, else that of this one."""
    noted = TrainingMachine.objects.filter(memory__isnull=False).order_by("-measured_at").first()
    return machine.memory() if noted is None else noted.memory


def gigabytes(size: int) -> str:
    return f"{size / 10**9:.1f}".removesuffix(".0")
