"""Start the processes of the product on one machine, restart those that die, and stop all of them together."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from botfactory.ops.forked_module import ForkedModule, can_fork
from botfactory.outages.parent_death import call_process, die_with_parent

#: Seconds. A process that ends sooner than this has failed to start, and its restart is delayed.
SHORT_LIFE = 10.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
PATIENCE = 10.0
#: A log that is longer becomes NAME.log.1, in place of the one before, and begins anew.
MAX_LOG_BYTES = 20_000_000
_BLOCK_BYTES = 1 << 20
#: Seconds between two complaints about logs that can't be shortened.
COMPLAINS_EVERY = 60.0
#: The pause has reached its maximum long before this many failures. Much larger powers of two would overflow.
_MAX_DOUBLINGS = 16


class AlreadyRunning(Exception):
    pass


def pause_after(failures: int) -> float:
    """Return the seconds before the next start: 0 if the process lived, then 1, 3, 7 and so on up to the longest."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * (2.0 ** min(failures, _MAX_DOUBLINGS) - 1))


class Child(Protocol):
    """What a supervisor needs of a process that it has started, as in `subprocess.Popen`."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int, /) -> None: ...


@dataclass(slots=True)
class Process:
    """A supervised process. Its output goes to `log`."""

    name: str
    command: list[str]
    log: Path
    #: Whether the command is a Python module and its arguments, as after `python -m`. Where this is possible, it runs
    #: in a fork of the supervisor and shares what that has loaded.
    is_module: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    nice: int = 0
    #: Whether the other processes need this one until they have ended.
    stops_last: bool = False
    child: Child | None = None
    started: float = 0.0
    failures: int = 0
    not_before: float = 0.0

    def start(self) -> None:
        if self.is_module and can_fork():
            self.child = ForkedModule(self.command, self._prepare_fork)
        else:
            with self.log.open("ab") as log:
                self.child = subprocess.Popen(
                    [sys.executable, "-m", *self.command] if self.is_module else self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C reaches only the supervisor, which then stops the others in order.
                    start_new_session=True,
                    preexec_fn=self._prepare,
                )
        self.started = time.monotonic()

    def _prepare_fork(self) -> None:
        call_process(f"bf-{self.name}")
        with self.log.open("ab") as log:
            for stream in (1, 2):
                os.dup2(log.fileno(), stream)
        self._prepare()

    def _prepare(self) -> None:
        if self.nice:
            os.nice(self.nice)
            # Linux may share the processor among sessions first, and this process has one of its own.
            with contextlib.suppress(OSError):
                Path("/proc/self/autogroup").write_text(str(self.nice), encoding="ascii")
        die_with_parent(signal.SIGKILL)

    @property
    def is_alive(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def signal_group(self, number: signal.Signals) -> None:
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, number)


def shorten(log: Path) -> None:
    """If the log is longer than MAX_LOG_BYTES, move as many bytes of its end to NAME.log.1, and begin it anew.

    Processes that have opened the log to append go on at its beginning. Only what they write in the instant between the
    last read and the cut is lost.
    """
    if not log.exists() or log.stat().st_size <= MAX_LOG_BYTES:
        return
    with log.open("rb+") as current, log.with_name(f"{log.name}.1").open("wb") as older:
        current.seek(-MAX_LOG_BYTES, os.SEEK_END)
        while block := current.read(_BLOCK_BYTES):
            older.write(block)
        current.truncate(0)


@dataclass(slots=True)
class Supervisor:
    processes: list[Process]
    say: Callable[[str], None]
    stopping: bool = field(default=False, init=False)
    complains_at: float = field(default=0.0, init=False)

    def run(self, each_round: Callable[[], None]) -> None:
        """Run until a signal asks to stop, then return after every process has ended.

        `each_round` is called several times a second. Signals and dead processes wait while it runs.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup has SIGHUP ignored, so that the product survives its terminal.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._stop)
        try:
            for process in self.processes:
                process.start()
            while not self.stopping:
                for process in self.processes:
                    self._keep_alive(process)
                self._shorten_logs()
                each_round()
                time.sleep(0.2)
        finally:
            self.stop_all()

    def _stop(self, number: int, frame: object) -> None:
        self.stopping = True

    def _keep_alive(self, process: Process) -> None:
        if process.is_alive or self.stopping:
            return
        now = time.monotonic()
        if process.not_before == 0.0:
            assert process.child is not None
            process.failures = process.failures + 1 if now - process.started < SHORT_LIFE else 0
            process.not_before = now + pause_after(process.failures)
            self.say(f"{process.name} stopped (status {process.child.poll()}). Restarting it. Log: {process.log}")
            # Its own child processes must not keep running beside its successor.
            process.signal_group(signal.SIGKILL)
        if now >= process.not_before:
            try:
                process.start()
            except (OSError, subprocess.SubprocessError) as error:
                # For example, there's no memory for another process. The others go on, and this one is tried again.
                process.failures += 1
                process.not_before = now + pause_after(process.failures)
                self.say(f"Can't start {process.name}, trying again: {error}")
            else:
                process.not_before = 0.0

    def _shorten_logs(self) -> None:
        """Shorten the logs that are too long. To look takes microseconds, so each round does."""
        for log in {process.log for process in self.processes}:
            try:
                shorten(log)
            except OSError as error:
                if time.monotonic() >= self.complains_at:
                    self.complains_at = time.monotonic() + COMPLAINS_EVERY
                    self.say(f"Can't shorten {log}: {error}")

    def stop_all(self) -> None:
        """Stop the processes in reverse order, and kill those that don't react."""
        for last in (False, True):
            self._stop_those([process for process in reversed(self.processes) if process.stops_last is last])

    def _stop_those(self, processes: list[Process]) -> None:
        for process in processes:
            if process.is_alive and process.child is not None:
                process.child.send_signal(process.stop_signal)
        deadline = time.monotonic() + PATIENCE
        for process in processes:
            if process.child is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.child.wait(max(0.1, deadline - time.monotonic()))
                process.signal_group(signal.SIGKILL)
                process.child.wait()


def only_one(path: Path) -> IO[str]:
    """Lock this installation while the returned file is open. Raises AlreadyRunning if another process has the lock."""
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        where = file.read().strip()
        file.close()
        raise AlreadyRunning(where) from None
    file.truncate(0)
    # The lock is this process's alone: without it, its forks must not keep others from starting.
    os.register_at_fork(after_in_child=file.close)
    return file


def is_locked(path: Path) -> bool:
    """Return whether another process has the lock of `only_one`."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
