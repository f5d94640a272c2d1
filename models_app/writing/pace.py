"""How fast a thread of a writer writes with models of one kind, as of the last few seconds.

Two figures are measured: how many rows it steps in a second, which depends on what else the machine does, and how many
rows a request takes for what it's expected to cost. So a training that begins shows while the first posts are still
being written.
"""

from __future__ import annotations

import math
from typing import Final

#: Seconds of computing over which the speed is averaged.
_SECONDS: Final = 3.0
#: The share of earlier requests that counts once another has ended.
_KEPT: Final = 0.9
#: Seconds of computing for which the first guess counts.
_GUESSED: Final = 1.0


class Pace:
    """Not safe for several threads at once."""

    def __init__(self, rate: float) -> None:
        """`rate`: a guess at the weight that is done in a second."""
        self._rows, self._seconds = rate * _GUESSED, _GUESSED
        self._rows_of_ended = self._weight_of_ended = rate * _GUESSED

    def stepped(self, rows: float, seconds: float) -> None:
        """Note that these rows were stepped in this time."""
        kept = math.exp(-seconds / _SECONDS)
        self._rows, self._seconds = kept * self._rows + rows, kept * self._seconds + seconds

    def ended(self, rows: float, weight: float) -> None:
        """Note that a request of this weight has ended after this many rows."""
        self._rows_of_ended = _KEPT * self._rows_of_ended + rows
        self._weight_of_ended = _KEPT * self._weight_of_ended + weight

    @property
    def rate(self) -> float:
        """Return the weight that is done in a second."""
        return self._rows / self._seconds * self._weight_of_ended / self._rows_of_ended
