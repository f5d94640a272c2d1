"""Posts that lists, the gallery and the front page show of bots."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import OuterRef, Subquery

from botfactory.accounts.models import User
from models_app.house_bans import house_bans
from models_app.models import Generation, TrainedModel
from models_app.sharing import demo
from models_app.sharing.rights import gallery_for_user, samples_of

#: So many bots of the gallery are looked at for the front page.
_LOOKED_AT = 24


def with_samples(models: Iterable[TrainedModel], count: int = 3) -> list[TrainedModel]:
    """Return the models, each with up to `count` sample posts in `shown_posts`."""
    bans = house_bans()
    found = list(models)
    for model in found:
        model.shown_posts = tuple(samples_of(model, bans)[:count])
    return found


def with_last_posts(models: Iterable[TrainedModel], user: User) -> list[TrainedModel]:
    """Return the models, each with the first post of the last batch that it wrote for `user` in `shown_posts`.

    A sample post of its training takes the place of a missing one. Needs three queries for any number of models.
    """
    found = with_samples(models, 1)
    last = Generation.objects.filter(owner=user, model=OuterRef("pk")).order_by("-created_at").values("pk")[:1]
    keys = TrainedModel.objects.filter(pk__in=[model.pk for model in found]).annotate(last=Subquery(last))
    batches = Generation.objects.in_bulk([key for key in keys.values_list("last", flat=True) if key])
    written = {batch.model_id: tuple(batch.posts[:1]) for batch in batches.values() if batch.posts}
    for model in found:
        model.shown_posts = written.get(model.pk, model.shown_posts)
    return found


def with_demo_posts(model: TrainedModel | None) -> TrainedModel | None:
    """Return the demo bot with its latest posts in `shown_posts`; None stays None."""
    if model is not None:
        model.shown_posts = tuple(demo.posts_of(model)[:4])
    return model


def on_the_front_page(user: object) -> list[TrainedModel]:
    """Return up to seven bots of the gallery that `user` may see, with sample posts; those without any are left out.

    The first is the example at the top.
    """
    shown = with_samples(gallery_for_user(user).prefetch_related("tags").order_by("-created_at", "pk")[:_LOOKED_AT], 4)
    return [model for model in shown if model.shown_posts][:7]
