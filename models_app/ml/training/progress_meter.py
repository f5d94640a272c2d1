"""The progress, speed and remaining time of a job."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass


@dataclass(slots=True)
class Clock:
    """Measures a job whose work is counted in symbols: `total` overall, `done` so far.

    begun and base: time and `done` when measuring started; told: time of the last progress report; characters and
    training_seconds: training since measuring started, for the speed; core_seconds: its CPU time over all cores.
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
        """Start measuring. Call it after the first step, which builds the graph and would distort the speed."""
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
