"""Why a bot wrote a post: the learned post that is closest to it, and how close that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models_app.bots import guards
from models_app.bots.rows import TrainedModel
from models_app.ml.sampling.copy_guard import CopyGuard, Nearest
from models_app.writing.rows import Generation
from tweets.corpora import learning


@dataclass(frozen=True, slots=True)
class Why:
    """A written post beside the closest learned one.

    percent: how many of its words the learned post has in the same order, out of 100; run: the most of them in a row;
    learned: the text of the learned post, or "" if the person may not see it or it's gone; of_parent: whether a
    model that the bot started from learned it; is_known: whether anything is known of what the model learned.
    """

    post: str
    percent: int = 0
    run: int = 0
    learned: str = ""
    of_parent: bool = False
    is_known: bool = True


def why(user: Any, generation: Generation, number: int) -> Why:
    """Return what is known about the post with this index. Raises IndexError, GuardLost and CheckpointError.

    Only the model's owner sees the learned post.
    """
    model, post = generation.model, generation.posts[number]
    guard = guards.guard_of(model)
    if guard is None:
        return Why(post, is_known=False)
    found = guard.nearest(post)
    if found is None or found.share == 0:
        return Why(post)
    is_learned = found.post < model.posts
    learned = _learned(model, post, found) if model.owner_id == user.pk and is_learned else ""
    of_parent = not is_learned and not _is_left_out(model, post, found)
    return Why(post, round(100 * found.share), found.run, learned, of_parent)


def _learned(model: TrainedModel, post: str, found: Nearest) -> str:
    """Return the post that the copy guard has at this place, or "" if the posts have changed since the training.

    Guards that earlier versions rebuilt have their posts in another order.
    """
    posts = [] if model.corpus is None else learning.training_posts(model.corpus)
    is_as_learned = (len(posts), sum(map(len, posts))) == (model.posts, model.characters)
    return posts[found.post] if is_as_learned and _is_as_close(posts[found.post], post, found) else ""


def _is_left_out(model: TrainedModel, post: str, found: Nearest) -> bool:
    """Return whether the closest post is one that the corpus has and its rules leave out. Rebuilt guards have these."""
    posts = [] if model.corpus is None else learning.all_posts(model.corpus)
    return found.post < len(posts) and _is_as_close(posts[found.post], post, found)


def _is_as_close(learned: str, post: str, found: Nearest) -> bool:
    close = CopyGuard.of([learned]).nearest(post)
    return close is not None and (close.share, close.run) == (found.share, found.run)
