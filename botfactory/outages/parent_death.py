"""Tell the kernel about a process: its name, and that it must not stay behind if its parent is killed."""

from __future__ import annotations

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15


def die_with_parent(number: signal.Signals) -> None:
    """Have the kernel send `number` to this process when its parent ends. Only Linux supports this."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number))


def call_process(name: str) -> None:
    """Have `ps -e` and `top` show this process under a name of at most 15 bytes. Only Linux supports this."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())
