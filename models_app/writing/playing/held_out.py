"""Real posts that a bot has never learned, for its guessing game."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from django.utils.translation import gettext as _

from models_app.bots import files, guards
from models_app.bots.errors import BadRequest
from models_app.bots.house_bans import house_bans
from models_app.bots.rows import TrainedModel
from models_app.ml.sampling.mentions import MASK, without
from models_app.ml.training import dataset
from models_app.training import estimates, report_cards
from tweets.cleaning import personal
from tweets.corpora import learning

#: The longest post of a game, in characters. The bot's posts have the same limit.
LONGEST: Final = 280
#: Longer posts are left out unread. Without their @names they'd hardly ever be short enough.
_HOPELESS: Final = 10 * LONGEST
#: The most posts that games of a bot choose from; for others than the owner, so no more of the posts are ever shown.
MAX_FOR_OWNER: Final = 400
MAX_FOR_OTHERS: Final = 40


class NoHeldOutPosts(Exception):
    """Nobody knows real posts that the bot hasn't learned, or there are too few."""

    code = "no_held_out_posts"


@dataclass(frozen=True, slots=True)
class RealPost:
    """A real post as the game shows it. `key`: of its row."""

    key: int
    text: str


def posts_of(model: TrainedModel, *, for_owner: bool) -> list[RealPost]:
    """Return real posts that neither the model nor its parents learned, always the same ones for others.

    Raises NoHeldOutPosts, and LearningError if the guard of a parent is lost or damaged.
    """
    most = MAX_FOR_OWNER if for_owner else MAX_FOR_OTHERS
    return list(islice(_presentable(_known_to_no_parent(model, _held_out(model))), most))


def _held_out(model: TrainedModel) -> list[RealPost]:
    """Return the posts that the training kept for validation, in a random order that is fixed for the model.

    Where a post is in it depends on nothing but the model and the post. So when a post is taken out, others see one
    more of the rest, not all of them in turn.
    """
    if model.corpus is None:
        raise NoHeldOutPosts(_("The posts that this bot learned from are deleted, so there is nothing to guess."))
    if model.training.get("kind") == "instant":
        texts = learning.training_posts(model.corpus)
        learned = set(files.context_of(files.path_of(model)))
        held_out = list(range(len(texts)))
    else:
        try:
            texts = report_cards.learned_posts(model)
        except BadRequest:
            raise NoHeldOutPosts(
                _("The posts have changed since the training, so we don’t know which of them the bot hasn’t learned.")
            ) from None
        indices = [str(index) for index in range(len(texts))]
        seed, share = model.training["seed"], estimates.VALIDATION_SHARE
        in_training, in_validation = dataset.split(indices, validation_share=share, seed=seed)
        learned = {texts[int(index)] for index in in_training}
        held_out = [int(index) for index in in_validation]
    keys = list(model.corpus.posts.filter(dropped="").order_by("pk").values_list("pk", flat=True))
    if len(keys) != len(texts):
        raise NoHeldOutPosts(_("The posts are changing right now. Try again in a moment."))
    found = [RealPost(keys[index], texts[index]) for index in held_out if texts[index] not in learned]
    return sorted(found, key=lambda post: hashlib.blake2b(f"{model.pk} {post.key}".encode()).digest())


def _known_to_no_parent(model: TrainedModel, posts: list[RealPost]) -> Iterator[RealPost]:
    """Return those of the posts that none of the models learned that this one started from."""
    parent = model.parent
    if parent is None and "/" in model.parent_name:
        # A person's model, which is deleted.
        raise NoHeldOutPosts(
            _("The bot that this one started from is deleted, so we don’t know which posts it has learned.")
        )
    if parent is not None and parent.corpus_id == model.corpus_id and not guards.is_version(parent):
        # Its guard also knows the posts that it kept for validation, so ask for those.
        unknown = {post.key for post in _known_to_no_parent(parent, _held_out(parent))}
        return (post for post in posts if post.key in unknown)
    guard = guards.guard_of(parent) if parent is not None else None
    return (post for post in posts if guard is None or not guard.is_copy(post.text))


def _presentable(posts: Iterator[RealPost]) -> Iterator[RealPost]:
    """Yield the posts that a bot could show, too: no @names, no personal data, no banned phrase, not too long."""
    bans = house_bans()
    for post in posts:
        if len(post.text) > _HOPELESS:
            continue
        text = without(post.text)
        is_sayable = text.strip() and MASK not in text
        if is_sayable and len(text) <= LONGEST and bans.finds(text) is None and not personal.adds(text):
            yield RealPost(post.key, text)
