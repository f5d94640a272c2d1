"""Keeps careful posts different from each other: at a low temperature, many begin alike and say the same.

The first symbol is drawn at temperature 1, which decides how a post begins. After that, rare words that other drafts of
the request have are a little less likely. docs/fluent.md has what both gain.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: How the first symbol of a post is drawn, unless the temperature is higher.
OPENING_TEMPERATURE, OPENING_TOP_P = 1.0, 0.95
#: What a symbol loses for each time that it was drawn, as a logit, and how often that counts at most.
PENALTY, MOST = 0.5, 3
#: The first symbols of a BPE are the most frequent ones: letters, and words such as "the". They lose nothing.
COMMON: Final = 1800


class Variety:
    """What the drafts of a request have said so far."""

    def __init__(self, size: int) -> None:
        """`size`: of the vocabulary."""
        self._penalties = np.zeros(size, np.float32)

    def applied(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits (B, size) with what was drawn less likely."""
        return logits - self._penalties

    def note(self, symbols: NDArray[Any]) -> None:
        """Remember the symbols (B,) that were drawn."""
        rare = symbols[symbols >= COMMON]
        np.add.at(self._penalties, rare, np.float32(PENALTY))
        self._penalties[rare] = np.minimum(self._penalties[rare], PENALTY * MOST)
