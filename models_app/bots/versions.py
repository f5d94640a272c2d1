"""The versions of the base model: their rows and files, and which one new bots start from."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from botfactory.accounts.models import User
from botfactory.jobs.models import Job
from botfactory.words.translation import grouped, translated
from models_app.bots import files
from models_app.bots.files import Fence, path_of
from models_app.bots.naming import free_version_name
from models_app.bots.rows import BaseChange, Tier, TrainedModel
from models_app.ml import checkpoint
from models_app.ml.errors import CheckpointError, mark

#: The shipped quick model, or one that `manage.py train_base` wrote; it becomes a version when first seen.
BASE_DIRECTORY = "base"
#: The shipped model of each tier.
SHIPPED: Final[Mapping[Tier, str]] = {Tier.QUICK: BASE_DIRECTORY, Tier.FLUENT: "fluent"}
#: The folder of base model versions, each in a folder named by its id.
VERSIONS_DIRECTORY = "bases"
#: The ids of shipped versions derive from this and their sha256, so that two processes create the same one.
_VERSIONS = uuid.UUID("6f1e4f0e-5b0c-4c37-9d59-6f3f6a7b1c02")

Origin = TrainedModel.Origin


class NoBaseModel(Exception):
    code = "no_base_model"


class KeptVersion(Exception):
    """A version of the base model that must not be lost."""

    code = "kept_version"


def base_model(tier: Tier = Tier.QUICK) -> TrainedModel:
    """Return the model that new bots of this tier start from. Raises NoBaseModel if there is none.

    Copies the shipped model to a version of its own when first seen, so that an update of the product doesn't replace
    files that bots started from.
    """
    found = base_models([tier])[tier]
    if isinstance(found, NoBaseModel):
        raise found
    return found


def candidates(tiers: Collection[Tier] = tuple(Tier)) -> Q:
    """Match the rows that `base_models` reads: base models, and the versions of those that the product ships."""
    shipped = [sha256 for tier in tiers if (sha256 := shipped_sha256(tier))]
    return Q(is_base=True, tier__in=tiers) | Q(owner=None, sha256__in=shipped)


def base_models(
    tiers: Collection[Tier], rows: Iterable[TrainedModel] | None = None
) -> dict[Tier, TrainedModel | NoBaseModel]:
    """Return what `base_model` returns or raises for each of the tiers.

    Needs one query, and none with `rows`, which include the candidates, unless a shipped model is seen for the first
    time.
    """
    known = list(TrainedModel.objects.filter(candidates(tiers)) if rows is None else rows)
    found: dict[Tier, TrainedModel | NoBaseModel] = {}
    for tier in tiers:
        try:
            found[tier] = _settled(known, tier) or _taken_in(tier)
        except NoBaseModel as error:
            found[tier] = error
    return found


def _settled(rows: list[TrainedModel], tier: Tier) -> TrainedModel | None:
    """Return the tier's base model among the rows if the shipped model has been taken in, with its files; else None."""
    base = next((row for row in rows if row.is_base and row.tier == tier), None)
    sha256 = shipped_sha256(tier)
    shipped = [row for row in rows if (row.owner_id, row.sha256, row.tier) == (None, sha256, tier)]
    version = next((row for row in shipped if row.directory != BASE_DIRECTORY), None)
    if version is None or (version.origin == Origin.SHIPPED and not path_of(version).exists()):
        return None
    return base


def _taken_in(tier: Tier) -> TrainedModel:
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
    """Return where the shipped model of the tier is: in CHECKPOINTS_DIR, or in the repository if none is there."""
    here = Path(settings.CHECKPOINTS_DIR)
    is_empty = not any(checkpoint.is_there(here / name) for name in SHIPPED.values())
    return Path(settings.SHIPPED_DIR if is_empty else here) / SHIPPED[tier]


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
        files.restore(source, path_of(version))
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
    origins: Callable[[], Mapping[str, Any]] = dict,
    **values: Any,
) -> TrainedModel:
    """Make the checkpoint in `source` a version of the base model, with its own copy of the files.

    Nobody starts from it yet. `fenced` as in `register`. `origins` is called in that transaction and returns what the
    row says of other rows, which may be deleted until then. Raises CheckpointError if the checkpoint is incomplete, and
    what `origins` raises.
    """
    return _add_version(
        number or uuid.uuid4(), source, name=name, origin=origin, fenced=fenced, origins=origins, **values
    )


def _add_version(
    number: uuid.UUID,
    source: Path,
    *,
    name: str,
    origin: str,
    fenced: Fence = transaction.atomic,
    origins: Callable[[], Mapping[str, Any]] = dict,
    **values: Any,
) -> TrainedModel:
    directory = f"{VERSIONS_DIRECTORY}/{number}"
    path = Path(settings.CHECKPOINTS_DIR) / directory
    job: Job | None = values.get("job")
    with files.staging(path, job) as staged:
        copied = files.copy(source, staged)
        bits = copied.meta.get("bits_per_character")
        known: dict[str, Any] = {
            "directory": directory,
            "sha256": copied.sha256,
            "network": copied.network.as_dict(),
            "tier": Tier.of(copied.network.as_dict()),
            "training": copied.meta,
            "bits_per_character": bits if isinstance(bits, int | float) and not isinstance(bits, bool) else None,
            "stored_bytes": files.stored_bytes(staged),
            "origin": origin,
            **values,
        }
        with files.in_place(staged, path, copied.sha256, fenced, job):
            known |= origins()
            shipped = TrainedModel.objects.filter(owner=None, origin=Origin.SHIPPED, tier=known["tier"])
            before = shipped.order_by("-created_at").first()
            version, made = TrainedModel.objects.get_or_create(pk=number, defaults={"name": name, **known})
            if not made:
                TrainedModel.objects.filter(pk=number, directory=BASE_DIRECTORY).update(**known)
                version.refresh_from_db()
            elif origin == Origin.SHIPPED and before is not None and before.is_base:
                make_base(version, how=BaseChange.How.SHIPPED)
    return version


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
