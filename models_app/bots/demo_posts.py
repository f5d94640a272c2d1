"""The last posts of the demo bot, remembered for a day and forgotten with the bot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.core.cache import cache
from django.db import transaction

from models_app.bots.rows import TrainedModel

#: How many of the last posts are remembered, and for how many seconds.
REMEMBERED: Final = 12
_DAY: Final = 24 * 60 * 60


def of(model: TrainedModel) -> list[str]:
    """Return the posts that the model wrote last as the demo bot, newest first."""
    return list(cache.get(_key(model)) or ())


def remember(model: TrainedModel, posts: Sequence[str]) -> None:
    """Add posts that it has just written."""
    cache.set(_key(model), [*posts, *of(model)][:REMEMBERED], timeout=_DAY)


def forget(model: TrainedModel) -> None:
    """Forget what it wrote, when the transaction commits."""
    key = _key(model)
    # Without the cache, they are gone after a day.
    transaction.on_commit(lambda: cache.delete(key), robust=True)


def _key(model: TrainedModel) -> str:
    return f"demo-bot:posts:{model.pk}:{model.sha256[:16]}"
