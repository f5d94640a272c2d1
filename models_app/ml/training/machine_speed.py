"""What a machine can do, as far as a few training steps show. Pure: no TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

#: What a training uses of two cores or more where nothing else runs, at least (docs/benchmarks.md).
DEFAULT_CORES: Final = 1.6
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True, slots=True)
class Step:
    """One training step: how many symbols it was of, how long it took, and how much of all cores together."""

    symbols: float
    seconds: float
    core_seconds: float


@dataclass(frozen=True, slots=True)
class Measured:
    """symbols_per_core_second: what a core does; cores_used: how many a training keeps busy where nothing else runs;
    cores_had: how many it had while this was measured; cores: of the machine."""

    symbols_per_core_second: float
    cores_used: float
    cores_had: float
    cores: int

    @classmethod
    def of(cls, steps: Sequence[Step], cores: int) -> Measured:
        """`steps` may have run beside other work: then they took longer, and hardly more of the cores."""
        had = [step.core_seconds / step.seconds for step in steps]
        return cls(
            symbols_per_core_second=median(step.symbols / step.core_seconds for step in steps),
            cores_used=min(quota(), max(*had, min(DEFAULT_CORES, cores))),
            cores_had=median(had),
            cores=cores,
        )


def quota() -> float:
    """How many cores the container may use on average; as many as it likes where nobody has said."""
    with suppress(OSError, ValueError):
        most, period = _QUOTA.read_text().split()
        return int(most) / int(period)
    return float(os.cpu_count() or 1)
