"""Rounds of training: how epochs are divided among them, and the mean of their weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Place:
    """An epoch's place: its round and its index within the round, both from 0, and the round's number of epochs."""

    round: int
    epoch: int
    epochs: int

    @property
    def is_first(self) -> bool:
        """Whether it's the first epoch of its round."""
        return self.epoch == 0

    @property
    def is_last(self) -> bool:
        """Whether it's the last epoch of its round."""
        return self.epoch == self.epochs - 1


def place_of(epoch: int, *, epochs: int, rounds: int) -> Place:
    """Return the place of an epoch, 1 to `epochs`, in rounds that differ by at most one epoch in length."""
    number = (epoch - 1) * rounds // epochs
    first, behind = (-(-each * epochs // rounds) for each in (number, number + 1))
    return Place(number, epoch - 1 - first, behind - first)


def mean_with(weights: Mapping[str, NDArray[Any]], mean: Mapping[str, NDArray[Any]], count: int) -> Weights:
    """Return the mean of `weights` and `count` others whose mean is `mean`, by name, as float32."""
    return {name: (np.float32(count) * mean[name] + array) / np.float32(count + 1) for name, array in weights.items()}
