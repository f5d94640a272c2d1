"""Who may do what with a model: its owner everything, others what its visibility gives them (docs/sharing.md)."""

from __future__ import annotations

import re
import secrets
import uuid
from enum import StrEnum
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet

from botfactory.accounts.models import User
from botfactory.accounts.rules import house_rules
from botfactory.listing import holding
from models_app.house_bans import house_bans
from models_app.ml.sampling.mentions import masked
from models_app.models import TrainedModel
from tweets import audit
from tweets.models import AuditEntry, Corpus

Visibility = TrainedModel.Visibility


class Right(StrEnum):
    """What somebody may do with a model."""

    #: Its name, label, basis, the figures of its report card and posts of its best epoch.
    SEE = "see"
    #: Let it write, within one's own limits.
    WRITE = "write"
    #: Let it write without the copy guard or with @names.
    LOOSEN = "loosen"
    #: Start a training from it.
    LEARN = "learn"
    #: What it was trained on and with: corpus, parent, job, epochs, settings.
    ORIGIN = "origin"
    #: Have its files.
    DOWNLOAD = "download"
    #: Rename, share and delete it.
    CHANGE = "change"


NOTHING: Final[frozenset[Right]] = frozenset()
EVERYTHING: Final = frozenset(Right)
OF_GUESTS: Final = frozenset({Right.SEE, Right.WRITE})
OF_PASSERS_BY: Final = frozenset({Right.SEE})
#: Of the base model, for everybody who is signed in; of an earlier one for those whose models came from it.
OF_BASE: Final = frozenset({Right.SEE, Right.WRITE, Right.LEARN, Right.ORIGIN})

_LINK: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_WEAKEST_FIRST: Final = (Corpus.Basis.PUBLIC, Corpus.Basis.PERMISSION, Corpus.Basis.OWN)


class SharingError(Exception):
    """A sentence for the person; `code` for programs."""

    code = "cannot_be_shared"
    param: str | None = "visibility"


class SharingOff(SharingError):
    code = "public_sharing_off"


class BasisUnknown(SharingError):
    code = "basis_unknown"


class NotUnlisted(SharingError):
    code = "not_unlisted"
    param = None


def rights_of(user: Any, model: TrainedModel, *, link: str = "") -> frozenset[Right]:
    """What `user`, signed in or not, may do with the model, having come by `link` or by its id."""
    is_known = user.is_authenticated and user.is_active
    if is_known and model.owner_id == user.pk:
        return EVERYTHING
    if is_known and (model.is_base or _was_start_for(user, model)):
        # What a base model that is a person's learned is guarded as that of any other.
        return OF_BASE if model.owner_id else OF_BASE | {Right.LOOSEN}
    if not is_shared(model):
        return NOTHING
    if model.visibility == Visibility.UNLISTED:
        is_let_in = bool(link) and link == model.link
    else:
        is_let_in = is_known or house_rules().open_gallery
    if not is_let_in:
        return NOTHING
    return OF_GUESTS if is_known else OF_PASSERS_BY


def _was_start_for(user: Any, model: TrainedModel) -> bool:
    """Whether it is an earlier base model from which one of the person's own came."""
    return model.owner_id is None and TrainedModel.objects.filter(owner=user, parent=model).exists()


def is_shared(model: TrainedModel) -> bool:
    """Whether it is for others as well: as long as its corpus is there, which knows whose posts these are.

    Without the corpus nothing would say of whom it is a parody, and an opt-out would not find it.
    """
    return (
        model.visibility != Visibility.PRIVATE
        and model.retired_at is None
        and model.owner is not None
        and model.owner.is_active
        and model.corpus is not None
        and bool(model.corpus.basis)
        and (model.visibility != Visibility.PUBLIC or house_rules().public_sharing)
    )


def gallery_for_user(user: Any) -> QuerySet[TrainedModel]:
    """The public models that `user`, signed in or not, may see."""
    rules = house_rules()
    is_known = user.is_authenticated and user.is_active
    if not rules.public_sharing or not (is_known or rules.open_gallery):
        return TrainedModel.objects.none()
    shown = TrainedModel.objects.filter(visibility=Visibility.PUBLIC, retired_at=None, owner__is_active=True)
    return shown.exclude(corpus=None).exclude(corpus__basis="").select_related("owner", "corpus", "parent__corpus")


def searched(models: QuerySet[TrainedModel], words: str) -> QuerySet[TrainedModel]:
    """Those of the models whose name, or the account of whose label, has each of the words."""
    return models.filter(holding(words.replace("@", " "), "name", "corpus__handle"))


def shared_for_user(user: Any, model_id: uuid.UUID) -> TrainedModel:
    """The model in the gallery, or one of the person's own; TrainedModel.DoesNotExist for who may not see it."""
    return _visible(user, TrainedModel.objects.filter(pk=model_id))


def shared_by_link(user: Any, link: str) -> TrainedModel:
    """The model with this link; TrainedModel.DoesNotExist for one that opens nothing (any more)."""
    if not _LINK.fullmatch(link):
        raise TrainedModel.DoesNotExist
    return _visible(user, TrainedModel.objects.filter(link=link), link)


def _visible(user: Any, models: QuerySet[TrainedModel], link: str = "") -> TrainedModel:
    model = models.select_related("owner", "corpus", "parent__corpus").get()
    if model.owner_id is None or Right.SEE not in rights_of(user, model, link=link):
        raise TrainedModel.DoesNotExist
    return model


def share(model: TrainedModel, visibility: str, *, by: User | None = None) -> TrainedModel:
    """The model has this visibility, and the audit log says who gave it: its owner where nobody else is named.

    An unlisted one has a link, which dies when it becomes another. SharingOff, BasisUnknown where it cannot be shared;
    nothing has changed then.
    """
    if visibility == Visibility.PUBLIC and not house_rules().public_sharing:
        raise SharingOff("The administrator has switched the gallery off: a bot can be private or shared by link.")
    if visibility != Visibility.PRIVATE:
        require_basis(model)
    if visibility != Visibility.UNLISTED:
        model.link = None
    elif not model.link:
        model.link = _new_link()
    before, model.visibility = model.visibility, visibility
    with transaction.atomic():
        model.save(update_fields=["visibility", "link"])
        if visibility != before:
            audit.record(
                AuditEntry.Action.SHARE,
                by=by or model.owner,
                about=model.full_name,
                subject_id=model.pk,
                before=before,
                after=visibility,
            )
    return model


def renew_link(model: TrainedModel) -> TrainedModel:
    """The model has another link; the one before opens nothing any more. NotUnlisted where it has none."""
    if model.visibility != Visibility.UNLISTED:
        raise NotUnlisted("Only a bot that is shared by link has one: choose that first.")
    model.link = _new_link()
    model.save(update_fields=["link"])
    return model


def require_basis(model: TrainedModel) -> None:
    """Return where it is known, of all that is in the model, whose posts these are; BasisUnknown otherwise."""
    if not basis_of(model):
        raise BasisUnknown(
            "It is not known whose posts this bot and those that it started from have learned: a corpus is deleted or "
            "was brought before that was asked. Bring the posts again and train a new bot to share it."
        )


def basis_of(model: TrainedModel) -> str:
    """On what ground the posts are here that the model and its parents learned: the weakest; "" if one is unknown."""
    found: set[str] = set()
    step: TrainedModel | None = model
    while step is not None and step.owner_id is not None:
        found.add(step.corpus.basis if step.corpus else "")
        # A name with a slash is a person's model, which is gone.
        if step.parent is None and "/" in step.parent_name:
            found.add("")
        step = step.parent
    return "" if "" in found else next((basis for basis in _WEAKEST_FIRST if basis in found), "")


def figures_of(model: TrainedModel) -> dict[str, Any] | None:
    """Of the report card what others may see: figures, and no learned post."""
    names = ("bits_per_character", "base_bits_per_character", "novelty", "voice", "real_words")
    return {name: model.report[name] for name in names if name in model.report} or None


def samples_of(model: TrainedModel) -> list[str]:
    """Posts that the model wrote after its best epoch, none a copy of a learned one, nobody named.

    What is banned here by now is left out.
    """
    epochs = {epoch["epoch"]: epoch.get("samples", []) for epoch in model.history}
    bans = house_bans()
    return [masked(post) for post in epochs.get(model.best_epoch, []) if bans.finds(post) is None]


def _new_link() -> str:
    return secrets.token_urlsafe(32)
