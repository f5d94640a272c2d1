"""What the page of a queue shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import Count, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from publishing import wall_times
from publishing.models import Account, Proposal, Publication, Queue
from publishing.networks.base import Network
from publishing.networks.registry import networks
from publishing.queue import services
from publishing.rules import apps, labels, planning, prices
from publishing.sending import remains

_State = Publication.State
#: Rows of each list on the page.
MOST: Final = 100
_REJECTED: Final = 10


@dataclass(frozen=True, slots=True)
class Place:
    """A network, and the bot's account there if it has one."""

    network: Network
    account: Account | None
    #: Posts of the bot that are there.
    posts: int

    @property
    def label(self) -> str:
        return _(self.network.label)

    @property
    def mark_is(self) -> str:
        return _(self.network.mark_is) if self.network.mark_is else ""


@dataclass(frozen=True, slots=True)
class Room:
    """How many characters are left on a network."""

    label: str
    left: int


@dataclass(frozen=True, slots=True)
class Proposed:
    """What waits for a decision, and the characters left on each of its networks."""

    proposal: Proposal
    rooms: list[Room]
    price: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """An approved post that is on its way, and where it goes."""

    proposal: Proposal
    publications: list[Publication]

    @property
    def can_be_put_back(self) -> bool:
        return all(row.state == _State.WAITING and row.began_at is None for row in self.publications)


def places_of(queue: Queue) -> list[Place]:
    """Return all networks that are offered, with the accounts of the queue."""
    accounts = {account.network: account for account in services.accounts_of(queue)}
    there = Publication.objects.filter(account__in=accounts.values(), state__in=remains.THERE)
    counts = dict(there.values_list("account__network").annotate(n=Count("pk")).order_by()) if accounts else {}
    offered = [network for network in networks() if network.name in accounts or apps.is_offered(network)]
    return [Place(network, accounts.get(network.name), counts.get(network.name, 0)) for network in offered]


def proposed(queue: Queue, places: list[Place]) -> list[Proposed]:
    """Return what waits for a decision, oldest first."""
    if queue.is_new:
        return []
    rows = queue.proposals.filter(state=Proposal.State.PROPOSED).select_related("generation")
    accounts = [place.account for place in places if place.account and place.network.needs_account]
    label = labels.labelled(queue, "")

    def rooms(text: str) -> list[Room]:
        whole = f"{label}{text}"
        return [Room(_(each.kind.label), each.longest - each.kind.length(whole)) for each in accounts]

    found = rows.order_by("created_at", "pk")[:MOST]
    return [Proposed(row, rooms(row.text), prices.shown(accounts, f"{label}{row.text}")) for row in found]


def rejected(queue: Queue) -> list[Proposal]:
    """Return what was rejected last."""
    if queue.is_new:
        return []
    return list(queue.proposals.filter(state=Proposal.State.REJECTED).order_by("-decided_at")[:_REJECTED])


def waiting(queue: Queue) -> list[Waiting]:
    """Return the approved posts that are on their way, in the order of their times."""
    on_the_way: dict[Proposal, list[Publication]] = {}
    states = (_State.WAITING, _State.SENDING, _State.UNKNOWN)
    for row in _publications(queue).filter(state__in=states).order_by("proposal__wall", "created_at")[: 3 * MOST]:
        on_the_way.setdefault(row.proposal, []).append(row)
    return [Waiting(proposal, rows) for proposal, rows in on_the_way.items()]


@dataclass(frozen=True, slots=True)
class Slot:
    """A time of the wall in the calendar, with the post that has it, or free."""

    at: datetime
    entry: Waiting | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the calendar, with its posts and free slots in the order of their times."""

    day: date
    slots: list[Slot]
    is_today: bool


@dataclass(frozen=True, slots=True)
class Week:
    """A week of the calendar."""

    days: list[Day]
    #: How many posts wait outside of it.
    others: int

    @property
    def before(self) -> date | None:
        """Return the Monday before, or None if that week is over."""
        return self.days[0].day - timedelta(days=7) if not any(day.is_today for day in self.days) else None

    @property
    def after(self) -> date:
        return self.days[0].day + timedelta(days=7)


def week(queue: Queue, entries: list[Waiting], asked: str) -> Week:
    """Return the week with the day that is asked for (2026-12-24), else this one."""
    today = wall_times.wall_of(timezone.now(), queue.zone).date()
    try:
        chosen = max(today, min(date.fromisoformat(asked), today + timedelta(days=wall_times.HORIZON_DAYS)))
    except ValueError:
        chosen = today
    monday = chosen - timedelta(days=chosen.weekday())
    days = [monday + timedelta(days=number) for number in range(7)]
    slots = {day: [Slot(at) for at in free] for day, free in planning.free_slots(queue, days).items()}
    others = 0
    for entry in entries:
        at = entry.proposal.wall_time
        if at is not None and at.date() in slots:
            slots[at.date()].append(Slot(at, entry))
        else:
            others += 1
    return Week([Day(day, sorted(slots[day], key=lambda slot: slot.at), day == today) for day in days], others)


def troubled(queue: Queue) -> list[Publication]:
    """Return what didn't go out, newest first."""
    rows = _publications(queue).filter(state__in=(_State.FAILED, _State.MISSED))
    return list(rows.order_by("-tried_at", "-created_at")[:MOST])


def posted(queue: Queue) -> QuerySet[Publication]:
    """Return what was published, newest first."""
    rows = _publications(queue).filter(state__in=(_State.POSTED, _State.RECALLING, _State.RECALLED))
    return rows.order_by("-posted_at", "-pk")


def _publications(queue: Queue) -> QuerySet[Publication]:
    if queue.is_new:
        return Publication.objects.none()
    rows = Publication.objects.filter(proposal__queue=queue)
    return rows.select_related("account", "proposal")


def longest(queue: Queue) -> int:
    """Return how many characters a post can have beside its label."""
    return services.room_of(queue)


def label(queue: Queue) -> str:
    """Return the label with the colon behind it, or ""."""
    return f"{found}:" if (found := labels.label_of(queue)) else ""
