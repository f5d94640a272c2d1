"""How far a job is, how fast it goes, and how long it will take."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass


@dataclass(slots=True)
class Clock:
    """Measures a job whose work is counted in symbols: `total` in all, `done` so far.

    begun and base: when the measuring began and what was done then; told: when the person was last told;
    characters and training_seconds: what was trained since then, to say a speed; core_seconds: of all cores together.
    """

    total: float
    done: float = 0.0
    started: bool = False
    begun: float = 0.0
    base: float = 0.0
    told: float = -math.inf
    characters: float = 0.0
    training_seconds: float = 0.0
    core_seconds: float = 0.0

    def start(self) -> None:
        """Time counts from here: the first step builds the graph, which says nothing about speed."""
        self.started, self.begun, self.base = True, time.monotonic(), self.done

    def speed(self) -> float:
        return self.characters / self.training_seconds if self.training_seconds else 0.0

    def cores_used(self) -> float:
        return self.core_seconds / self.training_seconds if self.training_seconds else 0.0

    def fraction(self) -> float:
        return min(1.0, self.done / self.total)

    def seconds_left(self) -> float:
        done = self.done - self.base
        return (time.monotonic() - self.begun) / done * max(0.0, self.total - self.done) if done > 0 else 0.0
