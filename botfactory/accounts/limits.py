"""What one person may have here: limits with defaults in the settings, and the usage that is counted against them.

Apps above register how to count what is theirs in AppConfig.ready, so that accounts knows neither jobs nor posts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final

from django.conf import settings
from django.db import connection

from botfactory.accounts.models import PersonalLimits, User
from botfactory.words import counted

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

#: Name of a limit -> what a person reads.
NAMES: Final = {
    "queued_jobs": "waiting jobs",
    "running_jobs": "running jobs",
    "training_minutes_a_day": "minutes of training today",
    "corpora": "corpora",
    "models": "bots",
    "stored_mb": "megabytes kept",
    "x_posts_a_month": "posts bought of X this month",
    "requests_a_minute": "API requests a minute",
    "webhooks": "webhooks",
}

#: Name of a limit -> what it counts, one of it and several; megabytes are the same in both.
NOUNS: Final = {
    "queued_jobs": ("waiting job", "waiting jobs"),
    "running_jobs": ("running job", "running jobs"),
    "training_minutes_a_day": ("minute", "minutes"),
    "corpora": ("corpus", "corpora"),
    "models": ("bot", "bots"),
    "stored_mb": ("MB", "MB"),
    "x_posts_a_month": ("post", "posts"),
    "webhooks": ("webhook", "webhooks"),
}

#: Name of a limit -> what a person who has met it reads, and can do.
SENTENCES: Final = {
    "queued_jobs": (
        "You can have at most {limit} here, and you have {used:,}. Running jobs don’t count. Wait until some have "
        "started, or cancel those you no longer need."
    ),
    "running_jobs": (
        "You can have at most {limit} here, and you have {used:,}. Wait until one has ended, or cancel one."
    ),
    "training_minutes_a_day": (
        "You can train for at most {limit} a day (UTC). Yours count {used:,}, including the estimates of trainings "
        "that wait or run, and this one would take about {wanted:,}. Choose fewer epochs or a smaller corpus, cancel "
        "a training that waits, or come back tomorrow."
    ),
    "corpora": (
        "You can have at most {limit} here, and you have {used:,}. Delete one that you no longer need: bots that "
        "learned from it stay."
    ),
    "models": (
        "You can have at most {limit} here, and you have {used:,}, including those in training. Delete one that you "
        "no longer need."
    ),
    "stored_mb": (
        "You can keep at most {limit} here. Your posts, uploads and bots take {used:,} MB, and this needs {wanted:,} "
        "MB more. Delete corpora or bots that you no longer need, or bring a smaller file."
    ),
    "x_posts_a_month": (
        "You can buy at most {limit} from X a month (UTC), and you have bought {used:,}. Come back next month. Your "
        "own X archive needs none of them."
    ),
    "webhooks": ("You can have at most {limit} here, and you have {used:,}. Delete one that you no longer need."),
}
_ASK = " Your administrator can raise this limit."


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one person may have; null (None) where there is no limit, 0 where there may be nothing."""

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
    """What counts against the limits of the same names now."""

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


class LimitReached(Exception):
    """A sentence for the person; for programs `code`, and in `limit` which one, with its numbers."""

    code = "limit_reached"

    def __init__(self, limit: str, *, allowed: int, used: int, wanted: int) -> None:
        most = counted(allowed, *NOUNS[limit])
        super().__init__(SENTENCES[limit].format(limit=most, used=used, wanted=wanted) + _ASK)
        self.limit, self.allowed, self.used, self.wanted = limit, allowed, used, wanted


#: How much of it a person has.
Counter = Callable[[User], int]
_counters: dict[str, list[Counter]] = {field.name: [] for field in fields(Usage)}


def register_counter(limit: str, counter: Counter) -> None:
    """What `counter` tells counts against the limit, beside what others tell. For AppConfig.ready."""
    _counters[limit].append(counter)


def defaults() -> Limits:
    return Limits(**{name: getattr(settings, setting) for name, setting in SETTINGS.items()})


def limits_of(user: User) -> Limits:
    """The person's limits: the administrator's word on them, else the defaults. Administrators have limits as well."""
    return limits_of_all([user.pk])[user.pk]


def limits_of_all(people: Collection[int]) -> dict[int, Limits]:
    """The limits of each of the people, by their keys."""
    usual = defaults()
    own = {row.user_id: row for row in PersonalLimits.objects.filter(user__in=people)}
    return {number: _limits(own.get(number), usual) for number in people}


def usage_of(user: User) -> Usage:
    """What the person has now, as counted from rows."""
    return Usage(**{name: _used(user, name) for name in _counters})


def require_room(user: User, wanted: Mapping[str, int]) -> None:
    """Returns while the person may have so much more of each (limit -> amount); LimitReached where not.

    To be called inside the transaction that makes it: until that ends, nobody else passes here for the same person, so
    that of two requests at once the second sees what the first has made. What is not wanted any of is not asked.
    """
    lock(user.pk)
    limits = limits_of(user).as_dict()
    for name, amount in wanted.items():
        allowed = limits[name]
        if allowed is None or amount <= 0:
            continue
        used = _used(user, name)
        if used + amount > allowed:
            raise LimitReached(name, allowed=allowed, used=used, wanted=amount)


def lock(person: int) -> None:
    """Until the end of the transaction nobody else counts for this person.

    SQLite needs no lock: its transactions are IMMEDIATE, one after another. On Postgres the lock is one that lets rows
    be made that point to the person.
    """
    assert connection.in_atomic_block, "a lock holds until the end of a transaction, and there is none"
    list(User.objects.select_for_update(no_key=True).filter(pk=person).values_list("pk"))


def megabytes(stored: int) -> int:
    """So many bytes as they count against `stored_mb`."""
    return math.ceil(stored / 1_000_000)


def _used(user: User, name: str) -> int:
    return sum(counter(user) for counter in _counters[name])


def _limits(own: PersonalLimits | None, usual: Limits) -> Limits:
    if own is None:
        return usual
    if own.unlimited:
        return Limits(**dict.fromkeys(SETTINGS))
    values = usual.as_dict()
    return Limits(**{name: value if own.chosen(name) is None else own.chosen(name) for name, value in values.items()})
