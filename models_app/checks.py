"""The doctor on models, and what /readyz asks of the base model: files against rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.template.defaultfilters import filesizeformat

from botfactory.ops.checks import Report
from botfactory.ops.machine import size_of
from models_app import registry
from models_app.ml import checkpoint
from models_app.ml.errors import CheckpointError
from models_app.models import TrainedModel


def base_is_readable() -> None:
    """Returns where new bots have something to start from; raises otherwise. Changes no row, hashes no weights."""
    directory = _base_directory()
    checkpoint.describe(directory)
    with (directory / checkpoint.WEIGHTS).open("rb") as weights:
        weights.read(1)


def base_model(report: Report) -> None:
    directory = _base_directory()
    try:
        loaded = checkpoint.load(directory)
    except CheckpointError as error:
        report.problem(
            f"the base model cannot be used: {error}",
            "restore it: `git checkout checkpoints/base`, or a model of yours from your backup",
        )
        return
    report.ok(f"the base model in {directory} is whole ({loaded.sha256[:12]})")


def checkpoints(report: Report) -> None:
    """Each row has its files, unchanged; each folder has its row."""
    models = list(TrainedModel.objects.select_related("owner"))
    wrong = 0
    for model in models:
        if trouble := _trouble(model):
            wrong += 1
            report.problem(f"{model} ({model.pk}): {trouble[0]}", trouble[1])
    if not wrong:
        report.ok(f"the files of all {len(models)} models are those that were registered")
    known = {registry.path_of(model).resolve() for model in models}
    for folder in _folders():
        if folder.resolve() in known:
            continue
        report.warning(
            f"{folder} belongs to no model ({_size(folder)})",
            "if no training is just saving it: delete the folder, or restore the database that knows it",
        )
    for folder in _left_behind():
        report.warning(
            f"{folder} was left behind by a save that was killed ({_size(folder)})",
            "if no training is just saving it: delete the folder, where the one without .old or .new is there",
        )


def _trouble(model: TrainedModel) -> tuple[str, str] | None:
    """What is wrong with its files, and what to do about it."""
    path = registry.path_of(model)
    advice = f"restore {path} from your backup, or delete the model in the administration"
    if not path.is_dir():
        return f"its folder is missing: {path}", advice
    try:
        described = str(checkpoint.describe(path).get("sha256"))
        with (path / checkpoint.WEIGHTS).open("rb") as weights:
            found = hashlib.file_digest(weights, "sha256").hexdigest()
    except (CheckpointError, OSError) as error:
        return f"its files cannot be read: {error}", advice
    if found != described:
        return f"its weights have changed: they are {found[:12]}, and {described[:12]} was saved", advice
    # The base in checkpoints/base/ may be trained anew: its row follows.
    if found != model.sha256 and model.directory != registry.BASE_DIRECTORY:
        return f"its files are another model's: {found[:12]}, and {model.sha256[:12]} was registered", advice
    return None


def _base_directory() -> Path:
    base = TrainedModel.objects.filter(is_base=True).first()
    return registry.path_of(base) if base else Path(settings.CHECKPOINTS_DIR) / registry.BASE_DIRECTORY


def _folders() -> Iterator[Path]:
    """The folders that hold a model of a person."""
    for owner in sorted(Path(settings.CHECKPOINTS_DIR).glob("users/*")):
        if owner.is_dir():
            yield from sorted(path for path in owner.iterdir() if path.is_dir() and not path.name.startswith("."))


def _left_behind() -> Iterator[Path]:
    root = Path(settings.CHECKPOINTS_DIR)
    for pattern in (".*.old", ".*.new-*", "users/*/.*.old", "users/*/.*.new-*"):
        yield from sorted(root.glob(pattern))


def _size(folder: Path) -> str:
    return filesizeformat(size_of(folder)).replace("\xa0", " ")
