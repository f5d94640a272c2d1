"""What a person often writes about."""

from __future__ import annotations

from botfactory.accounts.models import User
from models_app.bots.house_bans import house_bans
from models_app.bots.rows import Tier, TrainedModel
from tweets.corpora import report as reports

#: For suggested topics: how many frequent words to choose from, the shortest word, and how many to suggest.
_LOOKED_AT, _SHORTEST_TOPIC, _TOPICS = 20, 4, 5


def usual_topics_for_user(user: User | None, model: TrainedModel) -> list[str]:
    """Return up to five frequent words of the posts that a fluent bot learned. Only for its owner."""
    if user is None or model.owner_id != user.pk or model.corpus is None or model.tier != Tier.FLUENT:
        return []
    bans = house_bans()
    usual = [line.name for line in reports.top(model.corpus.report, "words", _LOOKED_AT)]
    return [word for word in usual if len(word) >= _SHORTEST_TOPIC and bans.finds(word) is None][:_TOPICS]
