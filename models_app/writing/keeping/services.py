"""Keep posts that bots wrote, list and remove them. Each person has their own."""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Exists, QuerySet
from django.utils.translation import gettext as _

from botfactory.accounts import locking
from botfactory.accounts.models import User
from botfactory.rest import idempotency
from botfactory.web.listing import holding
from botfactory.words.translation import grouped
from models_app.bots.errors import UnknownModel
from models_app.bots.rows import TrainedModel
from models_app.writing import generations
from models_app.writing.keeping.rows import KeptPost
from models_app.writing.rows import Generation

#: The most kept posts of a person.
MAX_KEPT: Final = 20_000
#: From how many posts on the share of those that a person kept says something.
ENOUGH_JUDGED: Final = 50
#: The longest edited post, in characters; bots write at most as many.
LONGEST: Final = 4_000


class KeepingError(Exception):
    """A post can't be kept; the message tells the person why."""

    code = "cannot_be_kept"
    param: str | None = None


class NoSuchPost(KeepingError):
    code = "no_such_post"
    param = "post"


class BadText(KeepingError):
    code = "bad_text"
    param = "text"


class TooManyKept(KeepingError):
    code = "too_many_kept"


def kept_for_user(user: Any) -> QuerySet[KeptPost]:
    """Return all posts that the person has kept, newest first."""
    if not (user.is_authenticated and user.is_active):
        return KeptPost.objects.none()
    return KeptPost.objects.filter(owner=user).select_related("model__corpus").order_by("-created_at", "-pk")


def kept_post_for_user(user: Any, kept_id: uuid.UUID) -> KeptPost:
    """Return the kept post. Raises KeptPost.DoesNotExist unless it is the person's."""
    return kept_for_user(user).get(pk=kept_id)


def find(kept: QuerySet[KeptPost], *, words: str = "", model: uuid.UUID | None = None) -> QuerySet[KeptPost]:
    """Return the kept posts that have all the words in their text, if given only those by one bot."""
    found = kept if model is None else kept.filter(model=model)
    return found.filter(holding(words, "text"))


def post_of(generation: Generation, number: int) -> str:
    """Return the post with this index. Raises NoSuchPost."""
    if not 0 <= number < len(generation.posts):
        raise NoSuchPost(_("There is no such post in this generation."))
    return str(generation.posts[number])


def require_there(generation: Generation) -> None:
    """Keep what was written, and its bot, from being deleted until the transaction ends. Raises NoSuchPost."""
    try:
        generations.require_there(generation.model)
    except UnknownModel as error:
        raise NoSuchPost(_("There is no such post in this generation.")) from error
    rows = Generation.objects.select_for_update(no_key=True).filter(pk=generation.pk)
    if rows.values_list("pk").first() is None:
        raise NoSuchPost(_("There is no such post in this generation."))


@transaction.atomic
def keep(*, generation: Generation, number: int, text: str | None = None) -> KeptPost:
    """Keep a post of the generation for its owner: as written, or edited if `text` differs.

    Keeping a post again returns the one that is kept already. Raises NoSuchPost, BadText, TooManyKept.
    """
    written = post_of(generation, number)
    new = written if text is None else _valid(text)
    # Before the look-up, because an edited post isn't unique in the table, and before the rows, like a deletion.
    locking.lock(generation.owner_id)
    require_there(generation)
    kept = KeptPost.objects.filter(owner=generation.owner, generation=generation, number=number, text=new)
    if (there := kept.first()) is not None:
        return there
    if KeptPost.objects.filter(owner=generation.owner).count() >= MAX_KEPT:
        message = _("You have kept %(count)s posts, which is the limit. Remove some first.")
        raise TooManyKept(message % {"count": grouped(MAX_KEPT)})
    try:
        with transaction.atomic():
            return KeptPost.objects.create(
                model=generation.model,
                owner=generation.owner,
                generation=generation,
                number=number,
                text=new,
                is_edited=new != written,
            )
    except IntegrityError:
        # Another request has just kept it.
        return kept.get()


def has_kept(user: User, model: TrainedModel) -> Exists:
    """Return whether the person has kept a post of the bot, for a query."""
    return Exists(KeptPost.objects.filter(owner=user, model=model))


def publishable(user: User, model: TrainedModel) -> str:
    """Return how many of the bot's posts the person found worth keeping, or "" if they have judged too few.

    Counts what the bot wrote at those times from which they kept a post.
    """
    kept = KeptPost.objects.filter(owner=user, model=model, generation__isnull=False)
    judged = Generation.objects.filter(pk__in=kept.values("generation"))
    shown = sum(len(posts) for posts in judged.values_list("posts", flat=True))
    if shown < ENOUGH_JUDGED:
        return ""
    share = kept.order_by().values("generation", "number").distinct().count() / shown
    sentence = _("You kept %(percent)s out of 100 of its posts, counted where you kept at least one.")
    return sentence % {"percent": grouped(round(100 * share))}


def remove(kept: KeptPost) -> None:
    """Remove the post from what is kept. What the bot wrote stays."""
    with transaction.atomic():
        idempotency.forget(kept.pk)
        kept.delete()


def models_with_kept(user: User) -> QuerySet[TrainedModel]:
    """Return the models by which the person has kept posts, by name."""
    kept = KeptPost.objects.filter(owner=user).order_by().values("model")
    return TrainedModel.objects.filter(pk__in=kept).order_by("name", "pk")


def generation_for_user(user: Any, generation_id: uuid.UUID) -> Generation:
    """Return the generation whose posts the person may keep. Raises Generation.DoesNotExist for others."""
    return generations.generation_for_user(user, generation_id)


def _valid(text: str) -> str:
    new = text.replace("\r\n", "\n").strip()
    if not new:
        raise BadText(_("The post is empty. Write something, or keep it as the bot wrote it."))
    if len(new) > LONGEST:
        raise BadText(_("A post can have at most %(most)s characters.") % {"most": grouped(LONGEST)})
    if "\x00" in new:
        raise BadText(_("A post can’t contain the character NUL."))
    return new
