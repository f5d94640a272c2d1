"""Keeps frozen weights of pretrained models as long as somebody needs them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.db.models import Q

from botfactory.jobs.models import Job
from botfactory.jobs.states import ACTIVE
from models_app.bots import pretrained, versions
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml import checkpoint
from models_app.ml.errors import CheckpointError
from models_app.ml.networks.llama.pretrained import Pretrained
from models_app.ml.networks.llama.store import take_in


@contextmanager
def kept(found: Pretrained) -> Iterator[None]:
    """Keep a model that was read from its publisher's files, and run the block that makes the row that needs it.

    If there's no such row then, nothing is kept.
    """
    with pretrained.alone():
        take_in(found, pretrained.root())
        try:
            yield
        finally:
            _remove_unused(found.config.pretrained)


def remove_unused(number: str) -> bool:
    """Remove the frozen weights unless somebody needs them. Return whether they were removed."""
    if not _is_unused(number):
        return False
    with pretrained.alone():
        return _remove_unused(number)


def unused() -> list[Path]:
    """Return the folders of frozen weights that nobody needs."""
    return [path for path in pretrained.folders() if _is_unused(path.name)]


def _remove_unused(number: str) -> bool:
    if not _is_unused(number):
        return False
    shutil.rmtree(pretrained.root() / number, ignore_errors=True)
    return not pretrained.is_here(number)


def _is_unused(number: str) -> bool:
    """Return whether no row belongs to the pretrained model, and none will, and it doesn't come with the product."""
    if not pretrained.is_here(number) or TrainedModel.objects.filter(network__pretrained=number).exists():
        return False
    # A training can make a bot of a base model that was deleted meanwhile. Its job doesn't say of which.
    trains = Q(arguments__chosen__kind="adapter") | Q(arguments__network__pretrained=number)
    if Job.objects.filter(trains, state__in=ACTIVE).exists():
        return False
    with suppress(CheckpointError, KeyError):
        if checkpoint.describe(versions.shipped_directory(Tier.FLUENT))["network"]["pretrained"] == number:
            return False
    return not pretrained.is_packaged(number) and not _is_needed_by_files(number)


def _is_needed_by_files(number: str) -> bool:
    """Return whether a model's files need it, whose row may be in another database or in a backup."""
    root = Path(settings.CHECKPOINTS_DIR)
    for pattern in ("users/*/*", f"{versions.VERSIONS_DIRECTORY}/*", "*"):
        for folder in root.glob(pattern):
            if folder.name.startswith("."):
                continue  # an attempt that failed
            with suppress(CheckpointError, KeyError, TypeError, AttributeError):
                if checkpoint.describe(folder)["network"].get("pretrained") == number:
                    return True
    return False
