"""Keeps checkpoints on disk and rows in the database in sync: registers, renames and deletes models."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from botfactory.accounts import limits
from botfactory.accounts.models import User
from botfactory.files.folders import remove_when_committed
from botfactory.jobs import services as jobs
from botfactory.jobs.models import Job
from botfactory.rest import idempotency
from models_app.bots import ancestry, demo_posts, epochs, files, frozen_weights
from models_app.bots.columns import set_columns
from models_app.bots.errors import StillBase
from models_app.bots.files import FINGERPRINTS, Fence, path_of
from models_app.bots.naming import NameTaken, free_name, valid_name
from models_app.bots.rows import Tier, TrainedModel
from models_app.bots.versions import require_may_go
from models_app.ml import checkpoint
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.sampling.copy_guard import CopyGuard
from tweets.models import Corpus


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
    fenced: Fence = transaction.atomic,
    context: Sequence[str] = (),
) -> TrainedModel:
    """Save a model's files together with its row. Repeated for the same job, it's still one model.

    Stores weights as float16: half the space, and bits per character change only in the fifth digit. `fenced` opens
    the transaction for both (JobHandle.fenced); if it isn't committed, the files are removed again. `context`: the
    posts in the context of an instant bot. If the parent was deleted during the training, the model has none. Raises
    OptedOut if an account that it has learned has opted out meanwhile.
    """
    owner = job.owner
    model_id = uuid.uuid5(job.pk, "model")
    directory = f"users/{owner.pk}/{model_id}"
    path = Path(settings.CHECKPOINTS_DIR) / directory
    with files.staging(path, job) as staged:
        saved = checkpoint.save(
            staged, network=trained.network, weights=trained.weights, meta=meta, half=True, phrases=trained.phrases
        )
        guard.save(staged / FINGERPRINTS)
        if context:
            files.save_context(staged, context)
        with files.in_place(staged, path, saved.sha256, fenced, job):
            return create_with_free_name(
                owner=owner,
                wanted=name,
                number=model_id,
                parent=if_there(parent),
                parent_name=parent_name,
                learned_accounts=ancestry.accounts_to_learn(corpus, parent),
                corpus=corpus,
                corpus_name=corpus.name,
                job=job,
                directory=directory,
                sha256=saved.sha256,
                network=saved.network.as_dict(),
                tier=Tier.of(saved.network.as_dict()),
                stored_bytes=files.stored_bytes(path),
                **values,
            )


def if_there(parent: TrainedModel | None) -> TrainedModel | None:
    """Lock and return the model to start from, or return None if it has been deleted during the training."""
    return TrainedModel.objects.select_for_update(no_key=True).filter(pk=parent.pk).first() if parent else None


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


def rename(model: TrainedModel, name: str) -> None:
    """Give the model this name. Raises BadName, NameTaken, or TrainedModel.DoesNotExist if it was deleted meanwhile."""
    name = valid_name(name)
    if TrainedModel.objects.filter(owner=model.owner, name=name).exclude(pk=model.pk).exists():
        raise _taken(name)
    try:
        with transaction.atomic():
            set_columns(model, name=name)
    except IntegrityError:
        # Another bot took the name in the meantime.
        raise _taken(name) from None


def _taken(name: str) -> NameTaken:
    message = _("You already have a bot called %(name)s. Choose a different name.")
    return NameTaken(message % {"name": name})


_before_deletion: list[Callable[[TrainedModel], object]] = []


def register_before_deletion(act: Callable[[TrainedModel], object]) -> None:
    """Have `act` called in the transaction that deletes a bot. For AppConfig.ready."""
    _before_deletion.append(act)


def delete(model: TrainedModel, *, by: User | None = None) -> None:
    """Delete the row and, after the commit, the files, so that nobody finds a model without files.

    What it wrote goes too, also the samples that its training shows. Models that started from it stay, but are private
    from now on. In the audit log, `by` did that, or else their owners. Frozen weights that no model needs any more are
    removed, too.

    Raises the same errors as require_may_go.
    """
    require_may_go(model)
    path = path_of(model)
    with transaction.atomic():
        for act in _before_deletion:
            act(model)
        # A training that hasn't made its report card would otherwise make the model again if its worker is killed now.
        # The other jobs make report cards.
        jobs.cancel_all(Job.objects.filter(Q(pk=model.job_id) | Q(arguments__model=str(model.pk))))
        ancestry.end_sharing(ancestry.with_descendants(model.children.all()), by=by)
        epochs.forget_posts(model.job)
        idempotency.forget(model.pk)
        demo_posts.forget(model)
        model.delete()
        remove_when_committed(path)
        if number := str(model.network.get("pretrained", "")):
            transaction.on_commit(lambda: frozen_weights.remove_unused(number), robust=True)


def delete_models_of(user: User, by: User | None = None) -> dict[str, int]:
    """Delete the person's models, with all that killed attempts have left, and return their number.

    A base model stays and belongs to the installation.
    """
    TrainedModel.objects.filter(owner=user, is_base=True).update(owner=None)
    models = list(TrainedModel.objects.filter(owner=user))
    for model in models:
        delete(model, by=by)
    # Not the whole folder: the files of a bot that became the base model stay in it.
    for left in (Path(settings.CHECKPOINTS_DIR) / "users" / str(user.pk)).glob(".*.attempt-*"):
        remove_when_committed(left)
    return {"bot": len(models)}


def count_models_of(user: User) -> dict[str, int]:
    """Return the number of models that delete_models_of would delete."""
    return {"bot": TrainedModel.objects.filter(owner=user, is_base=False).count()}


def register_limits() -> None:
    """Register how the limits count models. For AppConfig.ready."""
    limits.register_rows("models", TrainedModel, is_stored=True)


def retire(model: TrainedModel) -> None:
    """Keep everybody from starting from the model; existing bots stay. Raises StillBase for the base model."""
    if not TrainedModel.objects.filter(pk=model.pk, is_base=False).update(retired_at=timezone.now()):
        raise StillBase(_("You can’t retire the base model. First make another model the base model."))


def bring_back(model: TrainedModel) -> None:
    """End the retirement of the model."""
    TrainedModel.objects.filter(pk=model.pk).update(retired_at=None)
