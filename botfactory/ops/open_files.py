"""How many files this process may open: as many as it needs, if the system allows that."""

from __future__ import annotations

import contextlib
import resource
from dataclasses import dataclass
from typing import Final

from botfactory.edge.connections import FILES_FOR_EACH, MOST, Bounds

#: With these, the web process can have as many connections as it ever allows.
ENOUGH: Final = FILES_FOR_EACH * MOST


@dataclass(frozen=True, slots=True)
class Shortage:
    what: str
    advice: str

    def __str__(self) -> str:
        return " ".join(f"{text[0].upper()}{text[1:]}." for text in (self.what, self.advice))


def raise_limit() -> int:
    """Raise this process's own limit to what the web process needs, or as far as possible, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _allowed()
    if soft != resource.RLIM_INFINITY and soft < allowed:
        # macOS may allow less than it says.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ENOUGH if soft == resource.RLIM_INFINITY else soft


def shortage() -> Shortage | None:
    """Return what is missing, and what to do, if the system allows fewer files than the web process needs."""
    allowed = _allowed()
    if allowed >= ENOUGH:
        return None
    return Shortage(
        f"the system allows a process {allowed:,} open files, so the pages can have only "
        f"{Bounds.of_files(allowed).most:,} connections at once instead of {MOST:,}",
        f"raise the hard limit to {ENOUGH:,}: `ulimit -Hn` shows it, and /etc/security/limits.conf, LimitNOFILE of "
        "systemd, or ulimits of Docker Compose sets it",
    )


def _allowed() -> int:
    """Return the hard limit, or ENOUGH if that is less."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
