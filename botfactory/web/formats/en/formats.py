"""English dates with times from 0:00 to 23:59, as on all pages that scripts fill."""

from __future__ import annotations

DATETIME_FORMAT = "N j, Y, H:i"
SHORT_DATETIME_FORMAT = "m/d/Y H:i"
TIME_FORMAT = "H:i"
