"""Who has stopped posting: the owner for one bot or all of them, or the administrator for everybody."""

from __future__ import annotations

from django.db.models import Exists, Q

from botfactory.accounts.models import HouseRules
from publishing.models import Queue, Stop


def goes(queue: str = "") -> Q:
    """Return the condition that nobody has stopped a queue. `queue`: the way to it, such as "queue__"."""
    own = {f"{queue}is_stopped": False, f"{queue}model__owner__is_active": True}
    own[f"{queue}model__owner__posting_stop"] = None  # type: ignore[assignment]
    return Q(~Exists(HouseRules.objects.filter(posting_stopped=True))) & Q(**own)


def is_stopped_for_all(queue: Queue) -> bool:
    """Return whether the owner has stopped all their bots."""
    return Stop.objects.filter(owner=queue.model.owner_id).exists()
