"""The interval that a share of right answers probably lies in, also if all of a few were right."""

from __future__ import annotations

from math import sqrt
from typing import Final

#: The quantile of the normal distribution for 95 % between both ends.
_Z: Final = 1.959964


def wilson(right: float, answers: int) -> tuple[float, float]:
    """Return the ends of the Wilson score interval at 95 % for `right` of `answers`, as shares of 1.

    Unlike the standard error, it doesn't vanish if none or all are right. It treats the answers as independent. A tie
    is half a right answer. `answers` is at least 1. Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    share, spread = right / answers, _Z**2 / answers
    middle = share + spread / 2
    reach = sqrt(spread * (share * (1 - share) + spread / 4))
    low, high = (end / (1 + spread) for end in (middle - reach, middle + reach))
    # Rounding of floats must not move an end past 0 or 1.
    return (0.0 if right == 0 else low), (1.0 if right == answers else high)
