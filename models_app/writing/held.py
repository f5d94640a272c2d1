"""What a process holds of the machine's memory, and how it gives back what it no longer needs."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path
from typing import Final

_FIGURES: Final = Path("/proc/self/smaps_rollup")


def held_bytes() -> int | None:
    """Return the bytes of this process that aren't those of files, with its share of what it has from a fork.

    Files that are mapped don't count: processes share them, and the system drops what nobody reads. None: unknown.
    """
    with suppress(OSError, StopIteration, ValueError):
        lines = _FIGURES.read_text(encoding="ascii").splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("Pss_Anon:")).split()[1])
    return None


def give_back() -> None:
    """Return freed memory to the system. The C library keeps it, and only glibc can be asked for it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
