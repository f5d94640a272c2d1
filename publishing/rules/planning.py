"""Which waiting post gets which slot. Each call plans all of them anew, so taking one out moves the rest up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from publishing import wall_times
from publishing.models import Proposal, Publication, Queue
from publishing.rules.errors import BadValue, NoRoom

#: States of what counts toward a day's most posts.
_COUNT = (
    Publication.State.WAITING,
    Publication.State.SENDING,
    Publication.State.UNKNOWN,
    Publication.State.POSTED,
    Publication.State.RECALLING,
    Publication.State.RECALLED,
)


def plan(queue: Queue, *, anew: bool = False) -> None:
    """Give the waiting posts without a time of their own the next slots, in the order of their positions.

    Call it in a transaction that holds the queue's row. What is due already keeps its time, unless `anew`: when the
    queue goes on after a stop, nothing is made up in a burst.
    """
    now = timezone.now()
    waiting = [
        proposal
        for proposal in untried(queue).filter(is_fixed=False).order_by("position", "pk")
        if anew or proposal.due is None or proposal.due > now
    ]
    if not waiting:
        return
    days = _posts_of_days(queue, without={proposal.pk for proposal in waiting})
    taken = set(_times(queue, without={proposal.pk for proposal in waiting}))
    slots = queue.hours.slots(wall_times.wall_of(now, queue.zone), str(queue.pk))
    free = (slot for slot in slots if slot not in taken)
    for proposal in waiting:
        slot = next((slot for slot in free if days[slot.date()] < queue.daily_maximum), None)
        if slot is None:
            raise NoRoom(_("There is no free slot within a year. Allow more posts a day."))
        days[slot.date()] += 1
        if (proposal.wall_time, proposal.zone) != (slot, queue.zone):
            Proposal.objects.filter(pk=proposal.pk).update(wall=slot.replace(tzinfo=UTC), zone=queue.zone)


def require_possible(queue: Queue, wall: datetime, *, besides: Proposal) -> None:
    """Return if a post may go out at this time of the wall. Raises BadValue with a sentence."""
    now = timezone.now()
    moment = wall_times.moment_of(wall, queue.zone)
    if moment <= now:
        raise BadValue(_("This time is over. Choose a later one."), "at")
    if (wall - wall_times.wall_of(now, queue.zone)).days >= wall_times.HORIZON_DAYS:
        raise BadValue(_("This is more than a year away. Choose an earlier time."), "at")
    if queue.hours.is_quiet(wall.time()):
        raise BadValue(_("This is within the quiet hours of this bot. Choose another time."), "at")
    if _posts_of_days(queue, without={besides.pk})[wall.date()] >= queue.daily_maximum:
        raise BadValue(_("This day has as many posts as you allow. Choose another day."), "at")


def free_slots(queue: Queue, days: Collection[date]) -> dict[date, list[datetime]]:
    """Return the slots of these days that no post has and that may still be taken."""
    now = wall_times.wall_of(timezone.now(), queue.zone)
    taken = _times(queue, without=())
    counts = Counter(wall.date() for wall in taken)
    return {
        day: [slot for slot in queue.hours.slots_of(day, str(queue.pk)) if slot > now and slot not in taken]
        if counts[day] < queue.daily_maximum
        else []
        for day in days
    }


def untried(queue: Queue) -> QuerySet[Proposal]:
    """Return the approved posts that wait for their time at each account, and were never tried."""
    waiting = Publication.objects.filter(state=Publication.State.WAITING, began_at=None)
    others = Publication.objects.filter(proposal__queue=queue).exclude(pk__in=waiting.values("pk"))
    approved = queue.proposals.filter(state=Proposal.State.APPROVED, publications__in=waiting)
    return approved.exclude(pk__in=others.values("proposal")).distinct()


def _approved(queue: Queue, without: Collection[Any]) -> QuerySet[Proposal]:
    rows = queue.proposals.filter(state=Proposal.State.APPROVED, publications__state__in=_COUNT).exclude(wall=None)
    return rows.exclude(pk__in=list(without)).distinct()


def _posts_of_days(queue: Queue, *, without: Collection[Any]) -> Counter[Any]:
    return Counter(wall.date() for wall in _times(queue, without=without))


def _times(queue: Queue, *, without: Collection[Any]) -> list[datetime]:
    """Return the times of the wall of what isn't planned anew. Only recent and later ones matter."""
    since = timezone.now() - 3 * wall_times.FARTHEST
    rows = _approved(queue, without).filter(wall__gte=since)
    return [wall.replace(tzinfo=None) for wall in rows.values_list("wall", flat=True) if wall is not None]
