"""Run a Python module in a fork of this process, so that it shares the code that this process has loaded."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

_TASKS = Path("/proc/self/task")
#: Signals that this process may handle in a way of its own, which the fork must not inherit.
_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def can_fork() -> bool:
    """Return whether a fork of this process can run anything.

    Libraries of macOS don't survive a fork. Nor do other threads, and what they have locked would stay locked.
    """
    return sys.platform == "linux" and len(list(_TASKS.iterdir())) == 1


class ForkedModule:
    """`python -m MODULE ARGUMENTS...` in a fork. It has those methods of `subprocess.Popen` that a supervisor needs."""

    def __init__(self, arguments: Sequence[str], prepare: Callable[[], None]) -> None:
        """Start the module, whose name is the first argument. The fork calls `prepare` before."""
        # A signal to the fork waits until the fork no longer handles it as this process does.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        try:
            self._process = multiprocessing.get_context("fork").Process(target=_run, args=(arguments, prepare, before))
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the status. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _run(arguments: Sequence[str], prepare: Callable[[], None], mask: set[int]) -> None:
    for number in _HANDLED:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    # Ctrl-C reaches only the parent.
    os.setsid()
    prepare()
    sys.argv = list(arguments)
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
