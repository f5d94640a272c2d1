"""Parse headers such as Retry-After, which say when to ask a server again. Pure: no Django."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_FAR_OFF: Final = 32_500_000_000  # the year 2999 in seconds since 1970
_A_MOMENT: Final = 1_000_000_000  # from here on, numbers are seconds since 1970; smaller ones are seconds from now
#: The first twelve digits of a number. Fractions of seconds are dropped.
_NUMBER: Final = re.compile(r"([0-9]{1,12})[0-9]*(?:\.[0-9]*)?")


def moment_of(said: str, now: datetime) -> datetime | None:
    """Return the moment that a header's value gives, or None if it gives none.

    Servers write seconds from now, seconds since 1970, an HTTP date (RFC 9110, section 5.6.7) or an ISO 8601 date.
    """
    said = said.strip()
    try:
        if number := _NUMBER.fullmatch(said):
            seconds = min(int(number[1]), _FAR_OFF)
            return datetime.fromtimestamp(seconds, UTC) if seconds >= _A_MOMENT else now + timedelta(seconds=seconds)
        moment = parsedate_to_datetime(said) if said[:3].isalpha() else datetime.fromisoformat(said)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None
