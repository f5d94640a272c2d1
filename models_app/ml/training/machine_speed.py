"""The training speed of a machine, estimated from a few training steps. No TensorFlow."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

#: The minimum number of cores that training uses on an idle machine with two or more (docs/benchmarks.md).
DEFAULT_CORES: Final = 1.6
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True, slots=True)
class Step:
    """A training step: its number of symbols, its duration, and its CPU time over all cores."""

    symbols: float
    seconds: float
    core_seconds: float


def symbols_per_second(steps: Sequence[Step], cores: int) -> float:
    """Return the speed of a training that has the machine to itself, which has so many cores.

    Other work may run during these steps: it makes them longer but hardly adds CPU time.
    """
    had = max(step.core_seconds / step.seconds for step in steps)
    used = min(quota(), max(had, min(DEFAULT_CORES, cores)))
    return used * median(step.symbols / step.core_seconds for step in steps)


def characters_per_symbol(meta: Mapping[str, Any]) -> float:
    """Return how many characters a symbol of the model with this meta stands for, in its validation posts.

    The loss is in nats per symbol, and the bits are per character. Returns 1 for a model that doesn't tell both.
    """
    loss, bits = meta.get("validation_loss"), meta.get("bits_per_character")
    if not isinstance(loss, float) or not isinstance(bits, float) or not loss > 0 or not bits > 0:
        return 1.0
    return loss / math.log(2) / bits


def quota() -> float:
    """Return the container's CPU quota in cores, or the number of cores if there is no quota."""
    with suppress(OSError, ValueError):
        limit, period = _QUOTA.read_text().split()
        return int(limit) / int(period)
    return float(os.cpu_count() or 1)
