"""Posts that lists, the gallery and the front page show of bots."""

from __future__ import annotations

from collections.abc import Iterable

from models_app.bots.house_bans import house_bans
from models_app.bots.rows import TrainedModel
from models_app.ml.sampling.faults import best_first
from models_app.ml.sampling.mentions import MASK
from models_app.sharing.rights import gallery_for_user, samples_of
from models_app.writing import demo

#: So many bots of the gallery are looked at for the front page.
_LOOKED_AT = 24


def with_samples(models: Iterable[TrainedModel], count: int = 3) -> list[TrainedModel]:
    """Return the models, each with up to `count` sample posts in `shown_posts`."""
    bans = house_bans()
    found = list(models)
    for model in found:
        model.shown_posts = tuple(samples_of(model, bans)[:count])
    return found


def with_last_posts(models: Iterable[TrainedModel]) -> list[TrainedModel]:
    """Return the models of `bot_list.with_last_post`, each with the best of the last posts that it wrote in
    `shown_posts`.

    A sample post of its training takes the place of a missing one.
    """
    bans = house_bans()
    found = list(models)
    for model in found:
        # Early versions left masks of @names in posts.
        written = [post for post in getattr(model, "written", None) or [] if MASK not in post]
        model.shown_posts = tuple(best_first(written)[:1]) or tuple(samples_of(model, bans)[:1])
    return found


def with_demo_posts(model: TrainedModel | None) -> TrainedModel | None:
    """Return the demo bot with its latest posts in `shown_posts`; None stays None."""
    if model is not None:
        model.shown_posts = tuple(best_first(demo.posts_of(model))[:4])
    return model


def on_the_front_page(user: object) -> list[TrainedModel]:
    """Return up to seven bots of the gallery that `user` may see, with sample posts; those without any are left out.

    The first is the example at the top.
    """
    shown = with_samples(gallery_for_user(user).prefetch_related("tags").order_by("-created_at", "pk")[:_LOOKED_AT], 4)
    return [model for model in shown if model.shown_posts][:7]
