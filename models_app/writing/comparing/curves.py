"""The curves of several trainings in one chart: bits per character on held-out posts, after each epoch or part."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from botfactory.accounts.models import User
from models_app.bots.rows import TrainedModel
from models_app.sharing import access

#: The most curves in a chart. People can't tell more colours apart.
MOST: Final = 8
#: The page lists this many of the person's bots, newest first.
_MAX_LISTED: Final = 100


@dataclass(frozen=True, slots=True)
class Curve:
    """The curve of a bot: the number of each epoch or part with the bits per character after it."""

    model: TrainedModel
    points: tuple[tuple[int, float], ...]

    @property
    def best(self) -> float:
        """The lowest bits per character of the curve."""
        return min(bits for _, bits in self.points)

    def as_json(self) -> dict[str, Any]:
        """Return the curve for the page's script."""
        return {"name": self.model.name, "points": self.points}


def choices_for_user(user: User) -> list[TrainedModel]:
    """Return the person's bots that have a curve, the newest first."""
    return [model for model in access.models_for_user(user)[:_MAX_LISTED] if _points_of(model)]


def chosen_by(user: User, keys: Sequence[str], corpus: str = "") -> list[TrainedModel]:
    """Return the person's bots with these ids, or those that learned this corpus, or the newest ones if none are named.

    At most MOST of them. Raises TrainedModel.DoesNotExist for a bot or a corpus of somebody else.
    """
    own = access.models_for_user(user)
    try:
        if keys:
            ids = list(dict.fromkeys(map(uuid.UUID, keys)))
            found = own.in_bulk(ids)
            if len(found) < len(ids):
                raise TrainedModel.DoesNotExist
            chosen = [found[key] for key in ids]
        elif corpus:
            chosen = list(own.filter(corpus__owner=user, corpus=uuid.UUID(corpus)))
            if not chosen:
                raise TrainedModel.DoesNotExist
        else:
            chosen = list(own[:MOST])
    except ValueError:
        raise TrainedModel.DoesNotExist from None
    return [model for model in chosen if _points_of(model)][:MOST]


def curve_of(model: TrainedModel) -> Curve:
    """Return the curve of a bot that has one."""
    return Curve(model, _points_of(model))


def _points_of(model: TrainedModel) -> tuple[tuple[int, float], ...]:
    # Instant bots have no epochs.
    rows = [row for row in model.history if "bits_per_character" in row]
    return tuple((row["epoch"], row["bits_per_character"]) for row in rows)
