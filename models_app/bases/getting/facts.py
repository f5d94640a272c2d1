"""What an administrator learns about a model before anything is downloaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.utils.translation import gettext as _

from botfactory.web.durations import about
from botfactory.words.translatable import Sentence, mark
from models_app.bases import adding
from models_app.bases.getting import hub
from models_app.bases.getting.suggested import SUGGESTED, PinnedModel, suggested
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml.networks.llama.hugging_face import CONFIG, shape_of
from models_app.ml.networks.llama.pretrained import PretrainedError
from models_app.training import estimates, machines, tiers
from models_app.training.machines import Pace
from tweets.cleaning.language import NAMES

#: The time that we name is for a bot of 3,200 posts, which have about so many characters.
CHARACTERS: Final = 250_000
#: Bytes of a parameter, as the frozen weights are stored.
_STORED: Final = 2
#: Languages that are named one by one; more are counted.
_NAMED: Final = 8


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model that can be got. Sizes are in bytes, `seconds` are for a bot of 3,200 posts on this machine.

    why_not: the sentence that says why it can't be got here, or "". Memory and seconds are estimates.
    """

    repository: str
    revision: str
    is_suggested: bool
    licence: str
    languages: str
    download: int
    parameters: int
    memory_to_write: int
    memory_to_train: int
    seconds: float
    why_not: str = ""

    @property
    def for_page(self) -> dict[str, Any]:
        """Return the amounts in words."""
        return {
            "write": tiers.gigabytes(self.memory_to_write),
            "train": tiers.gigabytes(self.memory_to_train),
            "time": about(self.seconds),
        }


def of_suggested() -> list[ModelFacts]:
    """Return the facts of all suggested models. Asks nobody."""
    return [_of_suggested(model) for model in SUGGESTED]


def _of_suggested(model: PinnedModel) -> ModelFacts:
    found = _facts(model.config, model.repository, model.licence, str(model.languages), model.bytes)
    return replace(found, revision=model.commit, is_suggested=True)


def looked_up(repository: str, revision: str = "") -> tuple[hub.Snapshot, ModelFacts]:
    """Ask the hub about a repository, whose suggested commit counts if there is one. Raises HubError."""
    repository = hub.repository_named(repository)
    known = suggested(repository)
    snapshot = hub.look(repository, revision.strip() or (known.commit if known else hub.MAIN))
    facts = _facts(
        config_of(snapshot), snapshot.repository, snapshot.licence, _named(snapshot.languages), snapshot.bytes
    )
    is_suggested = known is not None and known.commit == snapshot.commit
    return snapshot, replace(facts, revision=snapshot.commit, is_suggested=is_suggested)


def config_of(snapshot: hub.Snapshot) -> dict[str, Any]:
    """Return what the snapshot's config.json says, read from the hub. Raises HubError."""
    try:
        content = json.loads(hub.small_file(snapshot, CONFIG))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise _no_shape(snapshot.repository)
    return content


def room_missing(download: int, parameters: int) -> Sentence | None:
    """Return the sentence that says how much disk space is missing for a download of so many bytes, or None.

    The frozen weights are stored beside it before it's deleted.
    """
    needed: dict[int, tuple[Path, int]] = {}
    for folder, size in ((settings.JOBS_DIR, download), (settings.CHECKPOINTS_DIR, _STORED * parameters)):
        path = _nearest(Path(folder))
        device = path.stat().st_dev
        needed[device] = (path, needed.get(device, (path, 0))[1] + size)
    for path, size in needed.values():
        free = shutil.disk_usage(path).free
        if free < size:
            message = mark(
                "It needs %(needed)s GB of disk space, but only %(free)s GB are free. Free some, then try again."
            )
            return Sentence(message, needed=tiers.gigabytes(size), free=tiers.gigabytes(free))
    return None


def _facts(config: Mapping[str, Any], repository: str, licence: str, languages: str, download: int) -> ModelFacts:
    try:
        shape = shape_of(dict(config), repository)
    except PretrainedError as error:
        raise hub.HubError(error.template, **error.values) from error
    model = TrainedModel(network=shape.as_dict(), training={"licence": licence}, tier=Tier.FLUENT)
    costs = adding.facts_of(model, machines.measured_speed(Tier.FLUENT))
    missing = room_missing(download, costs.parameters)
    return ModelFacts(
        repository=repository,
        revision=hub.MAIN,
        is_suggested=False,
        licence=licence,
        languages=languages,
        download=download,
        parameters=costs.parameters,
        memory_to_write=costs.memory_to_write,
        memory_to_train=costs.memory_to_train,
        seconds=estimates.estimate(CHARACTERS, Tier.FLUENT, pace=Pace(costs.characters_per_second)).seconds(1),
        why_not=tiers.too_large(model) or (str(missing) if missing else ""),
    )


def _no_shape(repository: str) -> hub.HubError:
    return hub.HubError(mark("%(file)s of %(repository)s can’t be read."), repository=repository, file=CONFIG)


def _named(codes: tuple[str, ...]) -> str:
    if not codes:
        return ""
    if len(codes) > _NAMED:
        return _("%(count)s languages") % {"count": len(codes)}
    return ", ".join(_(NAMES.get(code, code)) for code in codes)


def _nearest(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    return next(each for each in (path, *path.parents) if each.exists())
