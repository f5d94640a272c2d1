"""Limits for each person, with defaults in the settings, and what counts against them.

Apps above register in AppConfig.ready how to count their things, so accounts depends on neither jobs nor posts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final

from django.conf import settings
from django.db.models import Aggregate, Count, Model, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from botfactory.accounts import locking, meters
from botfactory.accounts.meters import Readings
from botfactory.accounts.models import PersonalLimits, User
from botfactory.words.translation import grouped

#: Name of a limit -> its setting.
SETTINGS: Final = {
    "queued_jobs": "LIMIT_QUEUED_JOBS",
    "running_jobs": "LIMIT_RUNNING_JOBS",
    "training_minutes_a_day": "LIMIT_TRAINING_MINUTES",
    "corpora": "LIMIT_CORPORA",
    "models": "LIMIT_MODELS",
    "stored_mb": "LIMIT_STORED_MB",
    "x_posts_a_month": "LIMIT_X_POSTS",
    "requests_a_minute": "LIMIT_REQUESTS",
    "webhooks": "LIMIT_WEBHOOKS",
}

#: Name of a limit -> its name on pages.
NAMES: Final = {
    "queued_jobs": _("Waiting jobs"),
    "running_jobs": _("Running jobs"),
    "training_minutes_a_day": _("Minutes of training today"),
    "corpora": _("Corpora"),
    "models": _("Bots"),
    "stored_mb": _("Storage (MB)"),
    "x_posts_a_month": _("Posts bought from X this month"),
    "requests_a_minute": _("API requests per minute"),
    "webhooks": _("Webhooks"),
}

#: Name of a limit -> what a person who reaches it reads. The number of the limit decides on singular or plural.
SENTENCES: Final = {
    "queued_jobs": ngettext_lazy(
        "You can have at most %(limit)s waiting job here, and you have %(used)s. Running jobs don’t count. Wait until "
        "some have started, or cancel those you no longer need.",
        "You can have at most %(limit)s waiting jobs here, and you have %(used)s. Running jobs don’t count. Wait "
        "until some have started, or cancel those you no longer need.",
        "allowed",
    ),
    "running_jobs": ngettext_lazy(
        "You can have at most %(limit)s running job here, and you have %(used)s. Wait until one has ended, or cancel "
        "one.",
        "You can have at most %(limit)s running jobs here, and you have %(used)s. Wait until one has ended, or cancel "
        "one.",
        "allowed",
    ),
    "training_minutes_a_day": ngettext_lazy(
        "You can train for at most %(limit)s minute a day (UTC). You have used %(used)s, including estimates for "
        "trainings that wait or run, and this one would take about %(wanted)s. Choose less time, fewer epochs or "
        "posts, cancel a waiting training, or come back tomorrow.",
        "You can train for at most %(limit)s minutes a day (UTC). You have used %(used)s, including estimates for "
        "trainings that wait or run, and this one would take about %(wanted)s. Choose less time, fewer epochs or "
        "posts, cancel a waiting training, or come back tomorrow.",
        "allowed",
    ),
    "corpora": ngettext_lazy(
        "You can have at most %(limit)s collection of posts here, and you have %(used)s. Delete one that you no longer "
        "need. Bots that learned from it stay, but become private.",
        "You can have at most %(limit)s collections of posts here, and you have %(used)s. Delete one that you no "
        "longer need. Bots that learned from it stay, but become private.",
        "allowed",
    ),
    "models": ngettext_lazy(
        "You can have at most %(limit)s bot here, and you have %(used)s, including those in training. Delete one that "
        "you no longer need.",
        "You can have at most %(limit)s bots here, and you have %(used)s, including those in training. Delete one "
        "that you no longer need.",
        "allowed",
    ),
    "stored_mb": _(
        "You can store at most %(limit)s MB here. Your posts, uploads and bots take %(used)s MB, and this needs "
        "%(wanted)s MB more. Delete posts or bots that you no longer need, or import a smaller file."
    ),
    "x_posts_a_month": ngettext_lazy(
        "You can buy at most %(limit)s post from X a month (UTC), and you have bought %(used)s. Come back next month, "
        "or import your own X archive, which is free.",
        "You can buy at most %(limit)s posts from X a month (UTC), and you have bought %(used)s. Come back next "
        "month, or import your own X archive, which is free.",
        "allowed",
    ),
    "webhooks": ngettext_lazy(
        "You can have at most %(limit)s webhook here, and you have %(used)s. Delete one that you no longer need.",
        "You can have at most %(limit)s webhooks here, and you have %(used)s. Delete one that you no longer need.",
        "allowed",
    ),
}
_ASK: Final = _("Your administrator can raise this limit.")


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a person. Null means no limit, and 0 means that nothing is allowed."""

    queued_jobs: int | None
    running_jobs: int | None
    training_minutes_a_day: int | None
    corpora: int | None
    models: int | None
    stored_mb: int | None
    x_posts_a_month: int | None
    requests_a_minute: int | None
    webhooks: int | None

    def as_dict(self) -> dict[str, int | None]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Usage:
    """What currently counts against the limits of the same names."""

    queued_jobs: int
    running_jobs: int
    training_minutes_a_day: int
    corpora: int
    models: int
    stored_mb: int
    x_posts_a_month: int
    webhooks: int

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A limit with what counts against it. `used`: None for a pace, which has no total; `most`: None for no limit."""

    name: str
    used: int | None
    most: int | None

    @property
    def level(self) -> str:
        """Return "full" at the limit, "high" from 80 % of it, else "low"."""
        if self.used is None or self.most is None or self.used < 0.8 * self.most:
            return "low"
        return "full" if self.used >= self.most else "high"


class LimitReached(Exception):
    """A sentence for the person. Programs get `code` and in `param` the name of the limit."""

    code = "limit_reached"

    def __init__(self, limit: str, *, allowed: int, used: int, wanted: int) -> None:
        numbers = {"limit": grouped(allowed), "used": grouped(used), "wanted": grouped(wanted), "allowed": allowed}
        super().__init__(f"{SENTENCES[limit] % numbers} {_ASK}")
        self.limit = self.param = limit
        self.allowed, self.used, self.wanted = allowed, used, wanted

    @property
    def retry_after(self) -> int | None:
        """Return the seconds until the limit's day (UTC) ends, if there is room again then; else None."""
        if self.limit != "training_minutes_a_day" or self.wanted > self.allowed:
            return None
        now = timezone.now()
        return math.ceil((meters.next_day(now) - now).total_seconds())


@dataclass(frozen=True, slots=True)
class Counting:
    """Whose things to count, against which limits, and what their meters say."""

    user: User
    limits: frozenset[str]
    meters: Readings


#: Returns limit -> how much of it the person has, for all limits that it was registered for or only those asked for.
Counter = Callable[[Counting], Mapping[str, int]]
_counters: list[tuple[frozenset[str], Counter]] = []
#: Limit -> the model whose rows of a person count against it, and whether their bytes count against `stored_mb`.
_tables: dict[str, tuple[type[Model], bool]] = {}
STORED: Final = "stored_mb"
#: The names of the limits that counters can be registered for.
COUNTED: Final = tuple(field.name for field in fields(Usage))


def register_counter(limits: Iterable[str], counter: Counter) -> None:
    """Add what `counter` returns to what counts against these limits. Called in AppConfig.ready.

    One counter for several limits can count them all with one query.
    """
    _counters.append((frozenset(limits), counter))


def register_rows(limit: str, model: type[Model], *, is_stored: bool = False) -> None:
    """Count the rows of `model` with the person as `owner` against the limit. Called in AppConfig.ready.

    is_stored: their `stored_bytes` count against `stored_mb`. One query counts the rows of all models.
    """
    _tables[limit] = (model, is_stored)


def defaults() -> Limits:
    return Limits(**{name: getattr(settings, setting) for name, setting in SETTINGS.items()})


def limits_of(user: User) -> Limits:
    """Return the person's limits: those that the administrator set, else the defaults. Administrators have them too."""
    return limits_of_all([user.pk])[user.pk]


def limits_of_all(people: Collection[int]) -> dict[int, Limits]:
    """Return the limits of several people by their primary keys."""
    usual = defaults()
    own = {row.user_id: row for row in PersonalLimits.objects.filter(user__in=people)}
    return {number: _limits(own.get(number), usual) for number in people}


def limits_in(people: Iterable[User]) -> dict[int, Limits]:
    """Return the limits of these people by primary key. Load the people with `select_related("limits")`."""
    usual = defaults()
    return {person.pk: _limits(getattr(person, "limits", None), usual) for person in people}


def usage_of(user: User) -> Usage:
    """Return what the person has now, counted from rows."""
    return Usage(**_used(user, COUNTED))


def gauges(most: Limits, used: Usage) -> list[Gauge]:
    """Return all limits with what counts against them, under their names on pages."""
    counted = used.as_dict()
    return [Gauge(str(NAMES[name]), counted.get(name), number) for name, number in most.as_dict().items()]


def require_room(user: User, wanted: Mapping[str, int]) -> None:
    """Raise LimitReached unless the person may have this much more (limit -> amount).

    Call it inside the transaction that creates the thing. Until that ends, other requests of the same person wait
    here, so the second of two requests sees what the first has created. A limit with an amount of 0 isn't checked.
    """
    locking.lock(user.pk)
    limits = limits_of(user).as_dict()
    checked = {name: allowed for name in wanted if (allowed := limits[name]) is not None and wanted[name] > 0}
    used = _used(user, checked)
    for name, allowed in checked.items():
        if used[name] + wanted[name] > allowed:
            raise LimitReached(name, allowed=allowed, used=used[name], wanted=wanted[name])


def megabytes(stored: int) -> int:
    """Return a number of bytes as it counts against `stored_mb`."""
    return math.ceil(stored / 1_000_000)


def _used(user: User, limits: Iterable[str]) -> dict[str, int]:
    used = dict.fromkeys(limits, 0)
    readings = Readings(user.pk)
    for known, counter in _counters:
        if asked := known & used.keys():
            amounts = counter(Counting(user, asked, readings))
            for name in asked:
                used[name] += amounts[name]
    for name, amount in _rows(user, used.keys()):
        used[name] += amount
    return used


def _rows(user: User, limits: Collection[str]) -> list[tuple[str, int]]:
    """Return what the rows of the registered models count against these limits."""
    sums: list[tuple[str, Coalesce]] = []
    for limit, (model, is_stored) in _tables.items():
        if limit in limits:
            sums.append((limit, _of_owner(Count("pk"), model)))
        if is_stored and STORED in limits:
            sums.append((STORED, _of_owner(Sum("stored_bytes"), model)))
    if not sums:
        return []
    totals = User.objects.filter(pk=user.pk).values_list(*(total for _limit, total in sums)).get()
    amounts = zip((limit for limit, _total in sums), totals, strict=True)
    return [(limit, megabytes(amount) if limit == STORED else amount) for limit, amount in amounts]


def _of_owner(total: Aggregate, model: type[Model]) -> Coalesce:
    """Return the total of a person's rows, for a query of people."""
    rows = model._default_manager.filter(owner=OuterRef("pk")).order_by().values("owner")
    return Coalesce(Subquery(rows.annotate(total=total).values("total")), 0)


def _limits(own: PersonalLimits | None, usual: Limits) -> Limits:
    if own is None:
        return usual
    if own.unlimited:
        return Limits(**dict.fromkeys(SETTINGS))
    values = usual.as_dict()
    return Limits(**{name: value if own.chosen(name) is None else own.chosen(name) for name, value in values.items()})
