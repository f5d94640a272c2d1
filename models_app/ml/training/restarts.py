"""Rounds: how the epochs of a training are shared out among them, and the mean of what they have come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an epoch stands: in which round, and as which of that round's epochs, both counted from 0."""

    round: int
    epoch: int
    epochs: int

    @property
    def is_first(self) -> bool:
        """Whether the round begins with it."""
        return self.epoch == 0

    @property
    def is_last(self) -> bool:
        """Whether the round ends with it."""
        return self.epoch == self.epochs - 1


def place_of(epoch: int, *, epochs: int, rounds: int) -> Place:
    """Return where an epoch, 1 to `epochs`, stands in the rounds, of which each has as many epochs, to the nearest."""
    number = (epoch - 1) * rounds // epochs
    first, behind = (-(-each * epochs // rounds) for each in (number, number + 1))
    return Place(number, epoch - 1 - first, behind - first)


def mean_with(weights: Mapping[str, NDArray[Any]], mean: Mapping[str, NDArray[Any]], count: int) -> Weights:
    """Return the mean of `weights` and of `count` others whose mean is `mean`, name by name, in float32."""
    return {name: (np.float32(count) * mean[name] + array) / np.float32(count + 1) for name, array in weights.items()}
