"""How many processes want to run on this machine, as recently as its own figure allows.

That figure is a mean over about a minute: what ended a minute ago still counts by 37 %, such as the work of setting the
product up. Two figures give the mean of what came between them.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Final

#: The figure is an exponentially weighted mean over about this many seconds.
MINUTE: Final = 60.0
#: The system updates it every five seconds, so of two that are closer together, the difference says little.
MIN_REACH: Final = 20.0


@dataclass(frozen=True, slots=True)
class Load:
    """The mean number of processes that wanted to run. `reach`: since how many seconds ago; what is newer counts more.

    The weights fall by a factor of e in a MINUTE, as in the system's own figure, whose reach is infinite.
    """

    mean: float
    reach: float = math.inf

    def share_until(self, seconds: float) -> float:
        """Return the weight, 0 to 1, that everything until so many seconds ago has in the mean."""
        edge = math.exp(-self.reach / MINUTE)
        return max(0.0, (math.exp(-max(0.0, seconds) / MINUTE) - edge) / (1 - edge))


#: At most one reading in so many seconds is remembered, so that many requests don't push out all that are old enough.
PAUSE: Final = 1.0
#: When this process, or the one that it's a fork of, has read the figure, and what it was; requests have threads.
_readings: deque[tuple[float, float]] = deque(maxlen=2 * int(MIN_REACH / PAUSE))
_lock = Lock()


def of_last_minute() -> float:
    """Return the system's figure, or 0 if there is none."""
    with suppress(OSError, AttributeError):
        return os.getloadavg()[0]
    return 0.0


def lately() -> Load:
    """Return the mean since the newest reading that is at least MIN_REACH old; the system's figure if there is none."""
    now, figure = time.monotonic(), of_last_minute()
    with _lock:
        earlier = [reading for reading in _readings if now - reading[0] >= MIN_REACH]
        if not _readings or now - _readings[-1][0] >= PAUSE:
            _readings.append((now, figure))
    if not earlier:
        return Load(figure)
    at, before = earlier[-1]
    faded = math.exp(-(now - at) / MINUTE)
    return Load(max(0.0, (figure - before * faded) / (1 - faded)), now - at)


def forget() -> None:
    """Forget all readings. For tests."""
    _readings.clear()
