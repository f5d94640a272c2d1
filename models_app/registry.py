"""Keeps checkpoints on disk and rows in the database in sync, and caches loaded models."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from botfactory.accounts.models import User
from botfactory.folders import remove_when_committed
from botfactory.jobs.models import Job
from botfactory.translation import grouped, translated
from botfactory.words import on_one_line
from models_app import model_files, pretrained
from models_app.ml import checkpoint
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.errors import CheckpointError, mark
from models_app.ml.evaluation.likeness import PersonLikeness
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.sampler import Sampler
from models_app.model_files import FINGERPRINTS, LIKENESS, Fence
from models_app.models import BaseChange, Tier, TrainedModel
from tweets.models import Corpus

#: The shipped quick model, or one that `manage.py train_base` wrote; it becomes a version when first seen.
BASE_DIRECTORY = "base"
#: The shipped model of each tier.
SHIPPED: Final[Mapping[Tier, str]] = {Tier.QUICK: BASE_DIRECTORY, Tier.FLUENT: "fluent"}
#: The folder of base model versions, each in a folder named by its id.
VERSIONS_DIRECTORY = "bases"
#: Loaded models per process: about 30 MB each.
KEPT_IN_MEMORY = 8
LONGEST_NAME = 80
#: The ids of shipped versions derive from this and their sha256, so that two processes create the same one.
_VERSIONS = uuid.UUID("6f1e4f0e-5b0c-4c37-9d59-6f3f6a7b1c02")


Origin = TrainedModel.Origin

logger = logging.getLogger(__name__)


class NoBaseModel(Exception):
    code = "no_base_model"


class KeptVersion(Exception):
    """A version of the base model that must not be lost."""

    code = "kept_version"


class NameTaken(Exception):
    code = "name_taken"


class BadName(NameTaken):
    code = "bad_name"


def path_of(model: TrainedModel) -> Path:
    return Path(settings.CHECKPOINTS_DIR) / model.directory


def base_model(tier: Tier = Tier.QUICK) -> TrainedModel:
    """Return the model that new bots of this tier start from. Raises NoBaseModel if there is none.

    Copies the shipped model to a version of its own when first seen, so that an update of the product doesn't replace
    files that bots started from.
    """
    trouble: CheckpointError | None = None
    try:
        _take_in_shipped(tier)
    except CheckpointError as error:
        trouble = error
    base = TrainedModel.objects.filter(is_base=True, tier=tier).first()
    if base is not None:
        return base
    if tier == Tier.FLUENT and not shipped_directory(tier).exists():
        raise NoBaseModel(_("There’s no fluent base model on this server.")) from trouble
    if tier == Tier.FLUENT:
        message = _("There is no usable base model in %(directory)s. %(reason)s Restore it from the repository.")
    else:
        message = _(
            "There is no usable base model in %(directory)s. %(reason)s Restore it from the repository, or train one "
            "with `manage.py train_base`."
        )
    raise NoBaseModel(message % {"directory": shipped_directory(tier), "reason": translated(trouble)}) from trouble


def shipped_directory(tier: Tier = Tier.QUICK) -> Path:
    return Path(settings.CHECKPOINTS_DIR) / SHIPPED[tier]


def shipped_sha256(tier: Tier = Tier.QUICK) -> str:
    """Return the sha256 of the shipped weights, or "" if they can't be read."""
    try:
        return str(checkpoint.describe(shipped_directory(tier)).get("sha256", ""))
    except CheckpointError:
        return ""


def _take_in_shipped(tier: Tier) -> None:
    """Give the shipped model of the tier its own row and files. Raises CheckpointError if there is none.

    It also becomes the base model, unless somebody has chosen a base model other than the last shipped one.
    """
    source = shipped_directory(tier)
    described = checkpoint.describe(source)
    if Tier.of(described.get("network", {})) != tier:
        raise CheckpointError(
            mark("%(source)s has a model of another tier. Restore it from the repository."), source=source
        )
    bases = TrainedModel.objects.filter(is_base=True, tier=tier)
    rows = TrainedModel.objects.filter(owner=None, tier=tier)
    version = rows.filter(sha256=described["sha256"]).exclude(directory=BASE_DIRECTORY).first()
    has_base = bases.exclude(directory=BASE_DIRECTORY).exists()
    if version is None:
        if has_base and described.get("meta", {}).get("sample"):
            # An intermediate checkpoint of a training that is still running there.
            return
        # In earlier versions, the base model's own files were in `checkpoints/base/`.
        earlier = rows.filter(directory=BASE_DIRECTORY).first()
        number = earlier.pk if earlier else uuid.uuid5(_VERSIONS, str(described["sha256"]))
        version = _add_version(number, source, name=free_version_name(SHIPPED[tier]), origin=Origin.SHIPPED)
    elif version.origin == Origin.SHIPPED and not path_of(version).exists():
        model_files.restore(source, path_of(version))
    if not bases.exists():
        with transaction.atomic():
            # If two processes see it first, the second waits and finds it done.
            TrainedModel.objects.select_for_update().get(pk=version.pk)
            if not bases.exists():
                make_base(version, how=BaseChange.How.SHIPPED)


def add_version(
    source: Path,
    *,
    name: str,
    origin: TrainedModel.Origin,
    number: uuid.UUID | None = None,
    fenced: Fence = transaction.atomic,
    **values: Any,
) -> TrainedModel:
    """Make the checkpoint in `source` a version of the base model, with its own copy of the files.

    Nobody starts from it yet. `fenced` as in `register`. Raises CheckpointError if it's incomplete.
    """
    return _add_version(number or uuid.uuid4(), source, name=name, origin=origin, fenced=fenced, **values)


def _add_version(
    number: uuid.UUID, source: Path, *, name: str, origin: str, fenced: Fence = transaction.atomic, **values: Any
) -> TrainedModel:
    directory = f"{VERSIONS_DIRECTORY}/{number}"
    path = Path(settings.CHECKPOINTS_DIR) / directory
    job: Job | None = values.get("job")
    with model_files.staging(path, job) as staged:
        copied = model_files.copy(source, staged)
        bits = copied.meta.get("bits_per_character")
        known: dict[str, Any] = {
            "directory": directory,
            "sha256": copied.sha256,
            "network": copied.network.as_dict(),
            "tier": Tier.of(copied.network.as_dict()),
            "training": copied.meta,
            "bits_per_character": bits if isinstance(bits, int | float) and not isinstance(bits, bool) else None,
            "stored_bytes": model_files.stored_bytes(staged),
            "origin": origin,
            **values,
        }
        with model_files.in_place(staged, path, copied.sha256, fenced, job):
            shipped = TrainedModel.objects.filter(owner=None, origin=Origin.SHIPPED, tier=known["tier"])
            before = shipped.order_by("-created_at").first()
            version, made = TrainedModel.objects.get_or_create(pk=number, defaults={"name": name, **known})
            if not made:
                TrainedModel.objects.filter(pk=number, directory=BASE_DIRECTORY).update(**known)
                version.refresh_from_db()
            elif origin == Origin.SHIPPED and before is not None and before.is_base:
                make_base(version, how=BaseChange.How.SHIPPED)
    return version


def free_version_name(wanted: str) -> str:
    """Return `wanted`, or the first of `wanted 2`, `wanted 3`, ... that no version of the base model has."""
    taken = TrainedModel.objects.filter(owner=None, name__startswith=wanted)
    return _first_free(wanted, set(taken.values_list("name", flat=True)))


def make_base(model: TrainedModel, *, how: BaseChange.How, by: User | None = None) -> None:
    """Make `model` the base model for new bots of its tier; the previous one only loses the flag."""
    with transaction.atomic():
        bases = TrainedModel.objects.filter(is_base=True, tier=model.tier)
        # Of two concurrent changes, the second waits for the first.
        list(bases.select_for_update().values_list("pk"))
        bases.update(is_base=False)
        TrainedModel.objects.filter(pk=model.pk).update(is_base=True, retired_at=None)
        BaseChange.objects.create(
            how=how,
            tier=model.tier,
            model=model,
            model_name=model.full_name,
            sha256=model.sha256,
            by=by,
            by_name=by.get_username() if by else "",
        )
    model.refresh_from_db()


def free_name(owner: User, wanted: str) -> str:
    """Return `wanted`, or the first of `wanted 2`, `wanted 3`, ... that the owner hasn't used yet."""
    wanted = on_one_line(wanted)[:LONGEST_NAME] or "Bot"
    # Includes every possible `wanted 2`, `wanted 3`, ..., which cut off the end of a long name.
    taken = TrainedModel.objects.filter(owner=owner, name__startswith=wanted[: LONGEST_NAME - 8])
    return _first_free(wanted, set(taken.values_list("name", flat=True)))


def create_with_free_name(*, owner: User, wanted: str, number: uuid.UUID, **values: Any) -> TrainedModel:
    """Return the row of the model `number`; create it as `wanted` or under its owner's next free name.

    Of two models created at once with the same name, the second finds it taken and tries the next.
    """
    while True:
        made = TrainedModel.objects.filter(pk=number).first()
        if made is not None:
            return made
        name = free_name(owner, wanted)
        try:
            with transaction.atomic():
                return TrainedModel.objects.create(pk=number, owner=owner, name=name, **values)
        except IntegrityError:
            taken = TrainedModel.objects.filter(Q(pk=number) | Q(owner=owner, name=name))
            if not taken.exists():
                # The name wasn't the reason.
                raise


def _first_free(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        end = f" {number}"
        name, number = wanted[: LONGEST_NAME - len(end)] + end, number + 1
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
    likeness: PersonLikeness | None = None,
    meta: dict[str, Any],
    values: dict[str, Any],
    fenced: Fence = transaction.atomic,
    context: Sequence[str] = (),
) -> TrainedModel:
    """Save a model's files together with its row. Repeated for the same job, it's still one model.

    Stores weights as float16: half the space, and bits per character change only in the fifth digit. `fenced` opens
    the transaction for both (JobHandle.fenced); if it isn't committed, the files are removed again. `context`: the
    posts in the context of an instant bot.
    """
    owner = job.owner
    model_id = uuid.uuid5(job.pk, "model")
    directory = f"users/{owner.pk}/{model_id}"
    path = Path(settings.CHECKPOINTS_DIR) / directory
    with model_files.staging(path, job) as staged:
        saved = checkpoint.save(staged, network=trained.network, weights=trained.weights, meta=meta, half=True)
        guard.save(staged / FINGERPRINTS)
        if context:
            model_files.save_context(staged, context)
        if likeness is not None:
            likeness.save(staged / LIKENESS)
        with model_files.in_place(staged, path, saved.sha256, fenced, job):
            return create_with_free_name(
                owner=owner,
                wanted=name,
                number=model_id,
                parent=parent,
                parent_name=parent_name,
                corpus=corpus,
                corpus_name=corpus.name,
                job=job,
                directory=directory,
                sha256=saved.sha256,
                network=saved.network.as_dict(),
                tier=Tier.of(saved.network.as_dict()),
                stored_bytes=model_files.stored_bytes(path),
                **values,
            )


def _taken(name: str) -> NameTaken:
    message = _("You have another bot called %(name)s. Choose a different name.")
    return NameTaken(message % {"name": name})


def valid_name(name: str) -> str:
    """Return the name of a bot on one line. Raises BadName if it's empty or too long."""
    name = on_one_line(name)
    if not 1 <= len(name) <= LONGEST_NAME:
        message = _("A name must have 1 to %(most)s characters, but this one has %(count)s. Choose another.")
        raise BadName(message % {"most": LONGEST_NAME, "count": len(name)})
    return name


def rename(model: TrainedModel, name: str) -> None:
    name = valid_name(name)
    if TrainedModel.objects.filter(owner=model.owner, name=name).exclude(pk=model.pk).exists():
        raise _taken(name)
    model.name = name
    try:
        with transaction.atomic():
            model.save(update_fields=["name"])
    except IntegrityError:
        # Another bot took the name in the meantime.
        raise _taken(name) from None


def require_may_go(model: TrainedModel) -> None:
    """Raise NoBaseModel or KeptVersion for a model that must not be deleted."""
    if model.is_base:
        raise NoBaseModel(_("You can’t delete the base model. First make another model the base model."))
    if model.owner_id is not None:
        return
    tier = Tier(model.tier)
    if model.sha256 == shipped_sha256(tier):
        message = _("You can’t delete %(name)s: it comes with the product (%(directory)s). You can retire it.")
        raise KeptVersion(message % {"name": model.name, "directory": shipped_directory(tier)})
    if children := model.children.count():
        message = ngettext(
            "You can’t delete %(name)s: %(count)s bot started from it. You can retire it.",
            "You can’t delete %(name)s: %(count)s bots started from it. You can retire it.",
            children,
        )
        raise KeptVersion(message % {"name": model.name, "count": grouped(children)})


def may_go(model: TrainedModel) -> bool:
    try:
        require_may_go(model)
    except (NoBaseModel, KeptVersion):
        return False
    return True


def delete(model: TrainedModel) -> None:
    """Delete the row and, after the commit, the files, so that nobody finds a model without files.

    Raises the same errors as require_may_go.
    """
    require_may_go(model)
    path = path_of(model)
    with transaction.atomic():
        model.delete()
        remove_when_committed(path)


def delete_models_of(user: User) -> dict[str, int]:
    """Delete the person's models and return their number. A base model stays and belongs to the installation."""
    TrainedModel.objects.filter(owner=user, is_base=True).update(owner=None)
    models = list(TrainedModel.objects.filter(owner=user))
    for model in models:
        delete(model)
    return {"bot": len(models)}


def count_models_of(user: User) -> dict[str, int]:
    """Return the number of models that delete_models_of would delete."""
    return {"bot": TrainedModel.objects.filter(owner=user, is_base=False).count()}


def load(model: TrainedModel) -> Checkpoint:
    """Return the verified weights. Raises CheckpointError if the files are damaged or missing.

    Raises PretrainedError if the pretrained model that they belong to is missing.
    """
    pretrained.require(model.network)
    return checkpoint.load(path_of(model))


def open_sampler(model: TrainedModel) -> Sampler:
    """Return a sampler that nobody else has. Raises CheckpointError."""
    pretrained.require(model.network)
    return _sampler_in(path_of(model))


def forget() -> None:
    """Drop what this process keeps in memory."""
    _sampler.cache_clear()
    _guard.cache_clear()


def sampler_of(model: TrainedModel) -> Sampler:
    pretrained.require(model.network)
    with _loading:
        return _sampler(str(path_of(model)), model.sha256)


def has_guard(model: TrainedModel) -> bool:
    return (path_of(model) / FINGERPRINTS).exists()


def load_guard(model: TrainedModel) -> CopyGuard | None:
    """Return the guard of the posts that the model and its parents learned from, or None if it has no file.

    Raises CheckpointError if the file is damaged.
    """
    if not has_guard(model):
        return None
    with _loading:
        return _guard(str(path_of(model)), model.sha256)


def load_likeness(model: TrainedModel) -> PersonLikeness | None:
    """Return what tells how much posts sound like the person, None if there is nothing usable."""
    path = path_of(model) / LIKENESS
    try:
        return PersonLikeness.load(path)
    except FileNotFoundError:
        return None
    except CheckpointError as error:
        # The bot can write without it.
        logger.warning("%s", error)
        return None


#: Only one thread loads a model; with lru_cache alone, each thread that wants it would.
_loading = threading.Lock()


@lru_cache(maxsize=KEPT_IN_MEMORY)
def _guard(path: str, sha256: str) -> CopyGuard:
    return CopyGuard.load(Path(path) / FINGERPRINTS)


@lru_cache(maxsize=KEPT_IN_MEMORY)
def _sampler(path: str, sha256: str) -> Sampler:
    return _sampler_in(Path(path))


def _sampler_in(path: Path) -> Sampler:
    return Sampler(checkpoint.load(path, as_stored=True), model_files.context_of(path))
