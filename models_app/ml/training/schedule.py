"""The learning rate schedule: a linear warm-up, then a cosine decay from the peak to a fraction of it."""

from __future__ import annotations

import math


def learning_rate(*, peak: float, final: float, warmup_steps: int, step: int, fraction: float) -> float:
    """Return the rate for a step (0-based) at this fraction (0 to 1) of the training. `final` is a fraction of peak."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, fraction))))
    warmup = min(1.0, (step + 1) / (warmup_steps + 1))
    return peak * warmup * (final + (1 - final) * cosine)
