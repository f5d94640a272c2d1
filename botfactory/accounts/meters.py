"""Amounts that people have used in a day or a month. Deleting what was made with them doesn't give them back."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from django.db.models import F
from django.utils import timezone

from botfactory.accounts.models import Meter


class Readings:
    """The meters of a person for this month and its days, read together when the first is asked for."""

    def __init__(self, person: int) -> None:
        self._person = person
        self._amounts: dict[tuple[str, str], int] | None = None

    def used(self, name: str, period: str) -> int:
        if self._amounts is None:
            rows = Meter.objects.filter(user=self._person, period__startswith=this_month())
            self._amounts = {(row.name, row.period): row.amount for row in rows}
        return self._amounts.get((name, period), 0)


def this_month() -> str:
    return f"{timezone.now():%Y-%m}"


def next_day(now: datetime) -> datetime:
    """Return when the day of `now` ends. Days are those of UTC."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time.min, UTC)


def used(person: int, name: str, period: str) -> int:
    amount = Meter.objects.filter(user=person, name=name, period=period).values_list("amount", flat=True).first()
    return amount or 0


def add(person: int, name: str, period: str, amount: int) -> None:
    Meter.objects.get_or_create(user_id=person, name=name, period=period)
    Meter.objects.filter(user=person, name=name, period=period).update(amount=F("amount") + amount)


def take(person: int, name: str, period: str, wanted: int, *, limit: int | None) -> int:
    """Use up to `wanted`, as far as `limit` allows, and return how much. Safe beside others: one conditional UPDATE."""
    while True:
        amount = Meter.objects.get_or_create(user_id=person, name=name, period=period)[0].amount
        granted = wanted if limit is None else min(wanted, max(0, limit - amount))
        meter = Meter.objects.filter(user=person, name=name, period=period, amount=amount)
        # Zero rows mean that somebody else was faster, so less is left.
        if not granted or meter.update(amount=amount + granted):
            return granted


def give_back(person: int, name: str, period: str, amount: int) -> None:
    """Give back an amount that was taken and not used."""
    meter = Meter.objects.filter(user=person, name=name, period=period, amount__gte=amount)
    meter.update(amount=F("amount") - amount)
