"""The names of processes, by which a worker is told apart from all others, also after its end.

A name is HOST:PLACE:PID-STARTED. Machines can share a host's name, and containers a machine. So PLACE names the boot of
the machine and the PID namespace. A process number can be used again, but not with the same start.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


def name_of(pid: int) -> str:
    """Return the name of a process that runs here."""
    return f"{here()}:{pid}-{_start_of(pid)}"


def is_gone(name: str) -> bool:
    """Return whether the process ran here and doesn't any more. False if it ran elsewhere."""
    place, _, process = name.rpartition(":")
    pid, _, start = process.partition("-")
    if place != here() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    now = _start_of(int(pid))
    return bool(start and now) and start != now


@cache
def here() -> str:
    """Return HOST:PLACE, where each process number means at most one process at a time."""
    numbers = 0
    with suppress(OSError):
        numbers = (_PROC / "self/ns/pid").stat().st_ino
    place = hashlib.sha256(f"{boot()} {numbers}".encode()).hexdigest()[:12]
    return f"{platform.node()}:{place}"


@cache
def boot() -> str:
    """Return an id of this machine since its start, in at most 64 characters. Its containers share it."""
    with suppress(OSError):
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()[:64]
    with suppress(OSError, subprocess.CalledProcessError):
        asked = subprocess.run(["sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, text=True, check=True)
        return asked.stdout.strip()[:64]
    return f"{uuid.getnode():x}"


def _start_of(pid: int) -> str:
    """Return when a process started, as letters and digits; "" if nobody knows."""
    with suppress(OSError):
        # The state comes after the name, which is in brackets and may contain spaces.
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
    if _PROC.is_dir():
        return ""
    with suppress(OSError):
        asked = ["ps", "-o", "lstart=", "-p", str(pid)]
        told = subprocess.run(asked, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C", "TZ": "UTC"})
        return re.sub(r"\W", "", told.stdout)
    return ""
