"""Rights on a model: its owner has all of them, others have those that its visibility grants (docs/bots.md)."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from botfactory.accounts.models import User
from botfactory.accounts.rules import house_rules
from models_app.bots import visibility as visibilities
from models_app.bots.columns import set_columns
from models_app.bots.guards import is_version
from models_app.bots.house_bans import house_bans
from models_app.bots.rows import TrainedModel
from models_app.ml.sampling.banned_words import HouseBanList
from models_app.ml.sampling.faults import best_first
from models_app.ml.sampling.mentions import MASK, without
from tweets.cleaning import personal
from tweets.models import Corpus

Visibility = TrainedModel.Visibility


class Right(StrEnum):
    """A right on a model."""

    #: See its name, label, basis, report card figures and its sample posts.
    SEE = "see"
    #: Let it write, within one's own limits.
    WRITE = "write"
    #: Let it write without the copy guard or with @names.
    LOOSEN = "loosen"
    #: Let it write in one's own browser, which gets its weights.
    CARRY = "carry"
    #: Start a training from it.
    LEARN = "learn"
    #: See its training: corpus, parent, job, epochs, settings.
    ORIGIN = "origin"
    #: Download its files.
    DOWNLOAD = "download"
    #: Rename, share and delete it.
    CHANGE = "change"


NOTHING: Final[frozenset[Right]] = frozenset()
EVERYTHING: Final = frozenset(Right)
OF_GUESTS: Final = frozenset({Right.SEE, Right.WRITE})
OF_PASSERS_BY: Final = frozenset({Right.SEE})
#: On the base model for everybody signed in, and on earlier ones for people whose models started from them.
OF_BASE: Final = frozenset({Right.SEE, Right.WRITE, Right.LEARN, Right.ORIGIN})

_LINK: Final = re.compile(r"[A-Za-z0-9_-]{43}")
#: Two words, as suggestions have them: no names, tags, numbers or links.
_TWO_WORDS: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)? [^\W\d_]+(?:['’][^\W\d_]+)?")
_WEAKEST_FIRST: Final = (Corpus.Basis.PUBLIC, Corpus.Basis.PERMISSION, Corpus.Basis.OWN)


class SharingError(Exception):
    """A model can't be shared like this; the message tells the person why."""

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
    """Return the rights on the model of `user`, signed in or not, who opened it by `link` or by its id."""
    is_known = user.is_authenticated and user.is_active
    if is_known and model.owner_id == user.pk:
        return EVERYTHING
    if is_known and (model.is_base or _was_start_for(user, model)):
        # A person's bot that serves as the base model stays guarded like any other, also when its owner is gone.
        return OF_BASE | {Right.LOOSEN} if is_version(model) else OF_BASE
    if not is_shared(model):
        return NOTHING
    if model.visibility == Visibility.UNLISTED:
        is_let_in = bool(link) and link == model.link
    else:
        is_let_in = is_known or house_rules().open_gallery
    if not is_let_in:
        return NOTHING
    if not is_known:
        return OF_PASSERS_BY
    return OF_GUESTS | {Right.CARRY} if model.is_browser_open else OF_GUESTS


def may_go_on_from(user: Any, model: TrainedModel) -> bool:
    """Return whether work that the person began from the model may go on: it isn't retired, nor somebody's own again.

    An earlier version of the base model serves for that, though nobody begins from it any more.
    """
    return model.retired_at is None and (is_version(model) or Right.LEARN in rights_of(user, model))


def _was_start_for(user: Any, model: TrainedModel) -> bool:
    """Return whether this is an earlier base model that one of the person's models started from."""
    return model.owner_id is None and TrainedModel.objects.filter(owner=user, parent=model).exists()


def is_shared(model: TrainedModel) -> bool:
    """Return whether others may use the model.

    It needs its corpus, which records the author of the posts: without it, the parody label couldn't name the person,
    and an opt-out wouldn't find the model.
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
    """Return the public models that `user`, signed in or not, may see."""
    rules = house_rules()
    is_known = user.is_authenticated and user.is_active
    if not rules.public_sharing or not (is_known or rules.open_gallery):
        return TrainedModel.objects.none()
    shown = TrainedModel.objects.filter(visibility=Visibility.PUBLIC, retired_at=None, owner__is_active=True)
    return shown.exclude(corpus=None).exclude(corpus__basis="").select_related("owner", "corpus", "parent__corpus")


def shared_for_user(user: Any, model_id: uuid.UUID) -> TrainedModel:
    """Return a model in the gallery or one of the person's own. Raises TrainedModel.DoesNotExist for others."""
    return _visible(user, TrainedModel.objects.filter(pk=model_id))


def shared_by_link(user: Any, link: str) -> TrainedModel:
    """Return the model with this link. Raises TrainedModel.DoesNotExist for an invalid or expired link."""
    if not _LINK.fullmatch(link):
        raise TrainedModel.DoesNotExist
    return _visible(user, TrainedModel.objects.filter(link=link), link)


def _visible(user: Any, models: QuerySet[TrainedModel], link: str = "") -> TrainedModel:
    model = models.select_related("owner", "corpus", "parent__corpus").get()
    if model.owner_id is None or Right.SEE not in rights_of(user, model, link=link):
        raise TrainedModel.DoesNotExist
    return model


def share(model: TrainedModel, visibility: str, *, by: User | None = None) -> TrainedModel:
    """Set the model's visibility and record in the audit log who did it, by default its owner.

    An unlisted model gets a link, which stops working with any other visibility. Raises SharingOff or BasisUnknown if
    the model can't be shared, and changes nothing then. TrainedModel.DoesNotExist if it was deleted meanwhile.
    """
    if visibility == Visibility.PUBLIC and not house_rules().public_sharing:
        raise SharingOff(_("The administrator turned the gallery off. You can still share the bot by link."))
    if visibility != Visibility.PRIVATE:
        require_basis(model)
    link = model.link or _new_link() if visibility == Visibility.UNLISTED else None
    visibilities.change(model, visibility, link=link, by=by)
    return model


def renew_link(model: TrainedModel) -> TrainedModel:
    """Give the model a new link; the old one stops working. Raises NotUnlisted if it has none.

    TrainedModel.DoesNotExist if it was deleted meanwhile.
    """
    if model.visibility != Visibility.UNLISTED:
        raise NotUnlisted(_("This bot has no link to renew. First share it by link."))
    set_columns(model, link=_new_link())
    return model


def require_basis(model: TrainedModel) -> None:
    """Raise BasisUnknown unless the basis of all posts in the model and its parents is known."""
    if not basis_of(model):
        raise BasisUnknown(
            _(
                "We don’t know whose posts this bot, or a bot that it started from, learned: they’re deleted, or an "
                "early version imported them without asking. To share a bot, import the posts again and train a "
                "new one."
            )
        )


def basis_of(model: TrainedModel) -> str:
    """Return the weakest basis of the posts that the model and its parents learned, or "" if one is unknown."""
    found: set[str] = set()
    step: TrainedModel | None = model
    while step is not None and not is_version(step):
        found.add(step.corpus.basis if step.corpus else "")
        # A name with a slash was a person's model, which is deleted.
        if step.parent is None and "/" in step.parent_name:
            found.add("")
        step = step.parent
    return "" if "" in found else next((basis for basis in _WEAKEST_FIRST if basis in found), "")


def figures_of(model: TrainedModel) -> dict[str, Any] | None:
    """Return the report card figures that others may see, without any learned posts."""
    names = ("bits_per_character", "base_bits_per_character", "novelty", "voice", "real_words", "told_apart", "sense")
    return {name: model.report[name] for name in names if name in model.report} or None


def samples_of(model: TrainedModel, bans: HouseBanList | None = None) -> list[str]:
    """Return sample posts that it wrote when it was finished or shared, the best first: no copies, without @names.

    Bots of early versions have those of the epoch that was kept. Leaves out posts with phrases that have been banned
    since, and those with personal data that early versions kept. `bans`: the current list, for whoever asks about many.
    """
    epochs = {epoch["epoch"]: epoch.get("samples", []) for epoch in model.history}
    return best_first(presentable(model.samples, bans) or presentable(epochs.get(model.kept_epoch, []), bans))


def presentable(posts: Iterable[str], bans: HouseBanList | None = None) -> list[str]:
    """Return the posts that may still be shown: without @names, banned phrases and personal data."""
    bans = house_bans() if bans is None else bans
    found = [without(post) for post in posts if bans.finds(post) is None and not personal.adds(post)]
    return [post for post in found if post.strip() and MASK not in post]


def openings_of(model: TrainedModel) -> list[str]:
    """Return up to five beginnings of two words that the model has written itself, as suggestions for prompts."""
    found = [" ".join(post.split()[:2]) for post in samples_of(model)]
    plain = [words for words in found if len(words) <= 22 and _TWO_WORDS.fullmatch(words)]
    return list(dict.fromkeys(plain))[:5]


def _new_link() -> str:
    return secrets.token_urlsafe(32)
