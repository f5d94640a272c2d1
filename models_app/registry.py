"""Checkpoints on disk and rows in the database, kept in step. Loaded models are kept for the next request."""

from __future__ import annotations

import shutil
import uuid
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from models_app.ml import checkpoint
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.copies import CopyGuard
from models_app.ml.errors import CheckpointError
from models_app.ml.sampler import Sampler
from models_app.models import TrainedModel
from tweets.models import Corpus

BASE_DIRECTORY = "base"
#: Beside the weights: what the model learned from, for its copy guard.
FINGERPRINTS = "posts.fingerprints"
#: Loaded models in a process: about 30 MB each.
KEPT_IN_MEMORY = 8


class NoBaseModel(Exception):
    code = "no_base_model"


class NameTaken(Exception):
    code = "name_taken"


class BadName(NameTaken):
    code = "bad_name"


def stored_bytes(path: Path) -> int:
    """What the files of a model take."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def path_of(model: TrainedModel) -> Path:
    return Path(settings.CHECKPOINTS_DIR) / model.directory


def base_model() -> TrainedModel:
    """The row of the base model, brought in step with `checkpoints/base/` where that has been trained anew."""
    base = TrainedModel.objects.filter(is_base=True).first()
    if base is not None and base.directory != BASE_DIRECTORY:
        return base
    directory = Path(settings.CHECKPOINTS_DIR) / BASE_DIRECTORY
    try:
        described = checkpoint.describe(directory)
    except CheckpointError as error:
        raise NoBaseModel(
            f"There is no usable base model in {directory} ({error}) Restore it from the repository, or train one with "
            "`manage.py train_base`."
        ) from error
    if base is not None and base.sha256 == described["sha256"]:
        return base
    meta = described.get("meta", {})
    values: dict[str, Any] = {
        "name": "base",
        "is_base": True,
        "sha256": described["sha256"],
        "network": described["network"],
        "training": meta,
        "bits_per_character": meta.get("bits_per_character"),
        "stored_bytes": stored_bytes(directory),
    }
    try:
        with transaction.atomic():
            row, _ = TrainedModel.objects.update_or_create(owner=None, directory=BASE_DIRECTORY, defaults=values)
    except IntegrityError:
        # Another process was faster.
        row = TrainedModel.objects.get(is_base=True)
    return row


def make_base(model: TrainedModel) -> None:
    """`model` is what new bots start from; the one before stays as it is, without the flag."""
    with transaction.atomic():
        TrainedModel.objects.filter(is_base=True).update(is_base=False)
        TrainedModel.objects.filter(pk=model.pk).update(is_base=True, retired_at=None)


def free_name(owner: User, wanted: str) -> str:
    """`wanted`, or the first of `wanted 2`, `wanted 3`, ... that the owner has not used yet."""
    wanted = " ".join(wanted.replace("/", " ").split())[:72] or "Bot"
    taken = set(TrainedModel.objects.filter(owner=owner, name__startswith=wanted).values_list("name", flat=True))
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted} {number}", number + 1
    return name


def register(
    *,
    job: Job,
    name: str,
    corpus: Corpus,
    parent: TrainedModel | None,
    parent_name: str,
    trained: Checkpoint,
    guard: CopyGuard,
    meta: dict[str, Any],
    values: dict[str, Any],
) -> TrainedModel:
    """The model's files are in place and then its row; done twice for the same job, it is still one model.

    Weights are stored in float16: half the space, and a code length that differs in the fifth digit.
    """
    owner = job.owner
    model_id = uuid.uuid5(job.pk, "model")
    directory = f"users/{owner.pk}/{model_id}"
    path = Path(settings.CHECKPOINTS_DIR) / directory
    path.parent.mkdir(parents=True, exist_ok=True)
    saved = checkpoint.save(path, network=trained.network, weights=trained.weights, meta=meta, half=True)
    guard.save(path / FINGERPRINTS)
    with transaction.atomic():
        model, _ = TrainedModel.objects.get_or_create(
            pk=model_id,
            defaults={
                "owner": owner,
                "name": free_name(owner, name),
                "parent": parent,
                "parent_name": parent_name,
                "corpus": corpus,
                "corpus_name": corpus.name,
                "job": job,
                "directory": directory,
                "sha256": saved.sha256,
                "network": saved.network.as_dict(),
                "stored_bytes": stored_bytes(path),
                **values,
            },
        )
    return model


def rename(model: TrainedModel, name: str) -> None:
    name = " ".join(name.split())
    if not name or "/" in name or len(name) > 80:
        raise BadName("A name has 1 to 80 characters, and no slash.")
    if TrainedModel.objects.filter(owner=model.owner, name=name).exclude(pk=model.pk).exists():
        raise NameTaken(f"You have another model called {name}: choose a different name.")
    model.name = name
    model.save(update_fields=["name"])


def delete(model: TrainedModel) -> None:
    """The model is gone: first the row, so that nobody finds a model without files, then the files."""
    path = path_of(model)
    if model.is_base or model.directory == BASE_DIRECTORY:
        raise NoBaseModel("New bots start from the base model, so it cannot be deleted: make another one that first.")
    model.delete()
    shutil.rmtree(path, ignore_errors=True)


def delete_models_of(user: User) -> dict[str, int]:
    """The person's models are gone with their files; how many. One that is the base model is the installation's now."""
    TrainedModel.objects.filter(owner=user, is_base=True).update(owner=None)
    models = list(TrainedModel.objects.filter(owner=user))
    for model in models:
        delete(model)
    return {"bot": len(models)}


def load(model: TrainedModel) -> Checkpoint:
    """The weights, checked against their digest; CheckpointError when the files are damaged or gone."""
    return checkpoint.load(path_of(model))


def sampler_of(model: TrainedModel) -> Sampler:
    return _sampler(str(path_of(model)), model.sha256)


def has_guard(model: TrainedModel) -> bool:
    return (path_of(model) / FINGERPRINTS).exists()


def load_guard(model: TrainedModel) -> CopyGuard | None:
    """What the model knows of the posts that it and its parents learned from; None where it has no such file.

    CheckpointError when the file is damaged.
    """
    return _guard(str(path_of(model)), model.sha256) if has_guard(model) else None


@lru_cache(maxsize=KEPT_IN_MEMORY)
def _guard(path: str, sha256: str) -> CopyGuard:
    return CopyGuard.load(Path(path) / FINGERPRINTS)


@lru_cache(maxsize=KEPT_IN_MEMORY)
def _sampler(path: str, sha256: str) -> Sampler:
    return Sampler(checkpoint.load(Path(path)))
