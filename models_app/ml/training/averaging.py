"""The exponential moving average of weights, which is usually better than the last weights of a noisy training.

Source: Morales-Brotons et al., "Exponential Moving Average of Weights in Deep Learning" (2024). At the beginning the
average follows faster, as in TensorFlow's ExponentialMovingAverage with num_updates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
#: Steps between two updates. Copying the weights at each step would cost time and change next to nothing.
EVERY: Final = 10
_PREFIX: Final = "average."


class WeightAverage:
    """The average over about `horizon` steps, updated at each EVERYth. With a horizon of 0 there is none."""

    def __init__(self, weights: Mapping[str, NDArray[Any]], horizon: int) -> None:
        self._horizon, self._updates = horizon, 0
        self._arrays: Arrays = {name: np.array(array, np.float32) for name, array in weights.items()}

    def __bool__(self) -> bool:
        return self._horizon > 0

    def follow(self, steps: int, weights: Callable[[], Arrays]) -> None:
        """Take in the weights after so many steps, if it's time."""
        if not self or steps % EVERY:
            return
        self._updates += 1
        decay = min(1 - EVERY / max(self._horizon, EVERY), self._updates / (9 + self._updates))
        for name, array in weights().items():
            self._arrays[name] += (1 - decay) * (array - self._arrays[name])

    def weights(self) -> Arrays:
        """Return a copy of the averaged weights by name."""
        return {name: array.copy() for name, array in self._arrays.items()}

    def snapshot(self) -> Arrays:
        """Return what must be kept to go on later: nothing if there is no average."""
        return {_PREFIX + name: array for name, array in self._arrays.items()} if self else {}

    def restore(self, arrays: Mapping[str, NDArray[Any]], steps: int) -> None:
        """Go on with a snapshot made after so many steps. Raises KeyError if it lacks weights."""
        if self:
            self._arrays = {name: np.array(arrays[_PREFIX + name], np.float32) for name in self._arrays}
            self._updates = steps // EVERY
