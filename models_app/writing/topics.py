"""What a person often writes about."""

from __future__ import annotations

from typing import Final

from botfactory.accounts.models import User
from models_app.bots.house_bans import house_bans
from models_app.bots.rows import TrainedModel
from tweets.common_words import COMMON_WORDS

#: How many topics a page suggests.
SUGGESTED: Final = 6
#: Words that hardly any sentence of some language goes without.
_COMMON: Final = frozenset(" ".join(COMMON_WORDS.values()).split())


def usual_topics_for_user(user: User | None, model: TrainedModel) -> list[str]:
    """Return a few topics of the posts that a fluent bot learned. Only for its owner, while the posts exist."""
    if user is None or model.owner_id != user.pk or model.corpus is None:
        return []
    bans = house_bans()
    telling = [word for word in model.topics if word.casefold() not in _COMMON]
    return [word for word in telling if bans.finds(word) is None][:SUGGESTED]
