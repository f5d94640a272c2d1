"""The progress, speed and remaining time of a job."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass


@dataclass(slots=True)
class Clock:
    """Measures a job whose work is counted in symbols: `total` overall, `done` so far.

    begun and base: time and `done` when measuring started; told: time of the last progress report; characters and
    training_seconds: training since measuring started, for the speed.
    """

    total: float
    done: float = 0.0
    started: bool = False
    begun: float = 0.0
    base: float = 0.0
    told: float = -math.inf
    characters: float = 0.0
    training_seconds: float = 0.0

    def start(self) -> None:
        """Start measuring. Call it after the first step, which builds the graph and would distort the speed."""
        self.started, self.begun, self.base = True, time.monotonic(), self.done

    def speed(self) -> float:
        return self.characters / self.training_seconds if self.training_seconds else 0.0

    def fraction(self) -> float:
        return min(1.0, self.done / self.total)

    def seconds_left(self) -> float:
        done = self.done - self.base
        return (time.monotonic() - self.begun) / done * max(0.0, self.total - self.done) if done > 0 else 0.0


@dataclass(slots=True)
class RecentLoss:
    """An exponential moving average of the loss per symbol, which counts the first steps in full.

    loss and count: weighted sums over all steps, in nats and symbols.
    """

    loss: float = 0.0
    count: float = 0.0

    def add(self, loss: float, symbols: float, *, steps: float, so_far: float = math.nan) -> None:
        """Add a step: its summed loss in nats and its symbols. The average is over about `steps` steps.

        so_far: the mean loss per symbol of the steps before the first one here, if an earlier attempt trained some.
        """
        keep = 1 - 1 / max(1.0, steps)
        if not self.count and not math.isnan(so_far):
            self.count = symbols / (1 - keep)
            self.loss = self.count * so_far
        self.loss, self.count = keep * self.loss + loss, keep * self.count + symbols

    def mean(self) -> float:
        """Return the average in nats per symbol; NaN before the first step."""
        return self.loss / self.count if self.count else math.nan
