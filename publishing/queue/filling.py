"""Let bots fill their queues by themselves: once a day of the wall, as many proposals as their owner wants.

The row says when that is due. Whoever claims it by a conditional UPDATE lets the bot write; the proposals and the next
day are written in one transaction, so a process that dies leaves either both or nothing.
"""

from __future__ import annotations

import logging
import os
import random
from datetime import UTC, datetime, time, timedelta
from typing import Final

from django.db.models import Q
from django.utils import timezone

from botfactory.broker import doorbell
from botfactory.jobs import processes
from botfactory.words.translatable import mark
from botfactory.words.translation import stored
from models_app.bots.errors import ModelError
from models_app.bots.rows import Tier
from models_app.ml.errors import LearningError
from models_app.writing import asking
from models_app.writing.admission import NotNow
from publishing import wall_times
from publishing.models import Proposal, Queue
from publishing.queue import services
from publishing.rules import stops
from publishing.rules.errors import NoRoom, NothingNew
from publishing.sending import sender

logger = logging.getLogger(__name__)

#: The task that does it (publishing/tasks.py).
FILL: Final = "publishing.tasks.fill"
#: A process that hasn't finished after this time is presumed dead. A writer has ten minutes for a request.
LEASE: Final = timedelta(minutes=15)
#: Nothing could be written: no writer runs, or all are busy.
_PAUSE: Final = timedelta(minutes=10)


def ring() -> None:
    """Call a worker for what is due. If the broker can't be reached, the scheduler's next look finds it."""
    try:
        doorbell.ring(FILL, queue=sender.QUEUE)
    except Exception as error:
        logger.warning("proposals: the broker can't be reached (%s); they are written later", error)


def look() -> None:
    """Call a worker if a bot is to propose posts now."""
    if _next() is not None:
        ring()


def fill_next() -> bool:
    """Let the next bot write that is due, if there is one. If another is due then, call a worker for it."""
    queue = _claimed()
    if queue is None:
        return False
    _fill(queue)
    if _next() is not None:
        ring()
    return True


def _next() -> Queue | None:
    """Return a queue that is due, unless a bot is writing: one after the other, so that sending has its workers."""
    now = timezone.now()
    for busy in Queue.objects.exclude(filler="").filter(fill_at__gt=now).only("filler"):
        if not processes.is_gone(busy.filler):
            return None
    wants = Queue.objects.filter(stops.goes(), proposals_a_day__gt=0)
    due = wants.filter(Q(fill_at=None) | Q(fill_at__lte=now) | ~Q(filler=""))
    for queue in due.select_related("model__corpus", "model__owner").order_by("fill_at", "pk"):
        if queue.proposals.filter(state=Proposal.State.PROPOSED).count() < services.MAX_PROPOSED:
            return queue
    return None


def _claimed() -> Queue | None:
    queue = _next()
    if queue is None:
        return None
    before = queue.fill_at
    queue.fill_at, queue.filler = timezone.now() + LEASE, processes.name_of(os.getpid())
    mine = Queue.objects.filter(pk=queue.pk, fill_at=before, is_stopped=False)
    return queue if mine.update(fill_at=queue.fill_at, filler=queue.filler) else None


def _fill(queue: Queue) -> None:
    model, owner, count = queue.model, queue.model.owner, queue.proposals_a_day
    assert owner is not None, "a queue without an active owner isn't due"
    topics = queue.topics.splitlines()
    topic = random.choice(topics) if topics else ""
    wish = {"about": topic} if model.tier == Tier.FLUENT else {"prompt": topic}
    try:
        sampling = services.sampling_of(model, count=count, **wish)
        generation = asking.generate(model=model, owner=owner, sampling=sampling)
        with services.held(model) as now:
            if (now.fill_at, now.filler) == (queue.fill_at, queue.filler):
                services.accept(model, generation, count=count)
                _over(queue)
    except NotNow as error:
        logger.warning("bot %s proposes later: %s", model.pk, error)
        _over(queue, timezone.now() + _PAUSE)
    except NoRoom:
        _over(queue)
    except (NothingNew, LearningError, ModelError, ValueError) as error:
        _over(queue, why=error)
    except Exception:
        logger.exception("bot %s can't propose anything", model.pk)
        _over(queue, why=mark("Something went wrong on our side. The log of the server says what."))


def _over(queue: Queue, at: datetime | None = None, *, why: object = "") -> None:
    """Note that it's done until `at`, or the next day, unless another process has taken over."""
    mine = Queue.objects.filter(pk=queue.pk, fill_at=queue.fill_at, filler=queue.filler)
    changed = {"fill_trouble": str(why), "fill_trouble_words": stored(why)}
    mine.update(fill_at=at or _next_day(queue.zone), filler="", **changed)


def _next_day(zone: str) -> datetime:
    """Return the moment when the next day of the wall begins there."""
    tomorrow = wall_times.wall_of(timezone.now(), zone).date() + timedelta(days=1)
    return wall_times.moment_of(datetime.combine(tomorrow, time()), zone).astimezone(UTC)
