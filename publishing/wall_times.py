"""Times of the wall: the slots of a day, quiet hours, and the moment that a time of the wall is. Pure.

A time of the wall is a datetime without a zone, in whole minutes. Its moment is worked out when it's needed, so that
summer time moves nothing on the wall.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

#: How far ahead slots are looked for.
HORIZON_DAYS: Final = 400
#: A wall is at most so far ahead of UTC.
FARTHEST: Final = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class Hours:
    """When posts may go out, in whole hours of the wall: `per_day` slots from `opens` until `closes`, and quiet hours.

    closes: 1 to 24; quiet hours may span midnight, and equal ones are none.
    """

    per_day: int
    opens: int
    closes: int
    quiet_from: int
    quiet_until: int

    def is_quiet(self, at: time) -> bool:
        """Return whether nothing goes out at this time of the wall."""
        start, end = self.quiet_from, self.quiet_until
        if start <= end:
            return start <= at.hour < end
        return at.hour >= start or at.hour < end

    def slots_of(self, day: date, seed: str) -> list[datetime]:
        """Return the day's slots. Each part of the open hours has one, at a minute that depends on the seed."""
        whole = 60 * (self.closes - self.opens)
        found = []
        for number in range(self.per_day):
            first, end = whole * number // self.per_day, whole * (number + 1) // self.per_day
            minute = first + _drawn(f"{seed}:{day}:{number}", max(1, end - first))
            found.append(datetime.combine(day, time()) + timedelta(minutes=60 * self.opens + minute))
        return [slot for slot in found if not self.is_quiet(slot.time())]

    def slots(self, after: datetime, seed: str) -> Iterator[datetime]:
        """Yield the slots after a time of the wall, as far ahead as HORIZON_DAYS."""
        for ahead in range(HORIZON_DAYS):
            day = after.date() + timedelta(days=ahead)
            yield from (slot for slot in self.slots_of(day, seed) if slot > after)


def moment_of(wall: datetime, zone: str) -> datetime:
    """Return the moment of a time of the wall. One that summer time skips is as much later as the clock jumps."""
    return wall.replace(tzinfo=zone_of(zone)).astimezone(UTC)


def wall_of(moment: datetime, zone: str) -> datetime:
    """Return the time of the wall at a moment."""
    return moment.astimezone(zone_of(zone)).replace(tzinfo=None)


def zone_of(name: str) -> ZoneInfo:
    """Return the zone, UTC if this machine doesn't know it any more."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


@cache
def zones() -> list[str]:
    """Return the names of all zones that people choose from."""
    names = sorted(available_timezones())
    return [*(name for name in names if "/" in name and not name.startswith("Etc/")), "UTC"]


def _drawn(seed: str, count: int) -> int:
    """Return a whole number below `count` that depends on the seed alone."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) % count
