"""When a server that has had enough wants to be asked again: what headers such as Retry-After say. Pure: no Django."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_FAR_OFF: Final = 32_500_000_000  # the year 2999 in seconds since 1970
_A_MOMENT: Final = 1_000_000_000  # numbers from here on are seconds since 1970, smaller ones are seconds from now
#: Its first twelve digits; of seconds parts are left away.
_NUMBER: Final = re.compile(r"([0-9]{1,12})[0-9]*(?:\.[0-9]*)?")


def moment_of(said: str, now: datetime) -> datetime | None:
    """Returns the moment of a header's value, None where it says none.

    Servers say it in seconds from now or since 1970, as a date of HTTP (RFC 9110, section 5.6.7) or of ISO 8601.
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
