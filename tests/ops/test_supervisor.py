"""The supervisor of `manage.py run` restarts what dies, and ends everything together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from botfactory.ops import supervisor
from botfactory.ops.supervisor import Process, Supervisor, pause_after

ROOT = Path(__file__).parents[2]
LIVES = "while true; do sleep 0.05; done"
#: Prints numbers, about 400 kB of them a second.
FLOODS = """
import itertools, os, time
for number in itertools.count():
    os.write(1, b'%099d\\n' % number)
    number % 40 or time.sleep(0.01)
"""
#: A supervisor in a process of its own, with short pauses and logs.
PRODUCT = """
import sys
from pathlib import Path
from botfactory.ops import supervisor
from botfactory.ops.announcement import Announcement
from botfactory.ops.supervisor import Process, Supervisor

def say(text):
    print(text, flush=True)

supervisor.FIRST_PAUSE, supervisor.PATIENCE = 0.1, float(sys.argv[2])
supervisor.MAX_LOG_BYTES = int(sys.argv[4])
folder = Path(sys.argv[1])
log = folder / "log"
processes = [Process(name, ["sh", "-c", command], log) for name, command in
             (pair.split("=", 1) for pair in sys.argv[5:])]
processes[0].stops_last = True
Supervisor(processes, say).run(Announcement("127.0.0.1", int(sys.argv[3]), "ready", "late", say).step)
say("ended")
"""


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="Only Linux shares among sessions first.")
def test_what_gives_way_does_so_among_sessions_too(tmp_path: Path) -> None:
    process = Process("trainer", ["sleep", "60"], tmp_path / "log", nice=7)
    process.start()
    assert process.child is not None
    try:
        assert os.getpriority(os.PRIO_PROCESS, process.child.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 7
        assert Path(f"/proc/{process.child.pid}/autogroup").read_text().split()[-1] == "7"
    finally:
        process.signal_group(signal.SIGKILL)
        process.child.wait()


class Product:
    def __init__(
        self, folder: Path, patience: float, port: int, most: int, prefix: Sequence[str], commands: dict[str, str]
    ) -> None:
        self.folder = folder
        values = [
            str(folder),
            str(patience),
            str(port),
            str(most),
            *(f"{name}={command}" for name, command in commands.items()),
        ]
        # If the tests run under nohup, their children would ignore this signal, too.
        before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
        try:
            self.popen = subprocess.Popen(
                [*prefix, sys.executable, "-c", PRODUCT, *values],
                stdout=subprocess.PIPE,
                text=True,
                # The children write their files there.
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        finally:
            signal.signal(signal.SIGHUP, before)

    def lines(self, name: str) -> list[str]:
        """Return what the child processes wrote to the file of this name."""
        file = self.folder / name
        return file.read_text().split("\n")[:-1] if file.exists() else []

    def end(self, number: signal.Signals = signal.SIGINT) -> str:
        self.popen.send_signal(number)
        said, _ = self.popen.communicate(timeout=30)
        return said


Start = Callable[..., Product]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    products: list[Product] = []

    # Nothing listens at port 1.
    def one(
        *, patience: float = 10.0, port: int = 1, most: int = 10_000, prefix: Sequence[str] = (), **commands: str
    ) -> Product:
        product = Product(tmp_path, patience, port, most, prefix, commands)
        products.append(product)
        return product

    yield one
    for product in products:
        product.popen.kill()
        product.popen.communicate()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def is_there(number: str) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", number], capture_output=True, text=True).stdout.strip()
    # Nothing may have read its exit status yet.
    return bool(state) and not state.startswith("Z")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervised(tmp_path: Path, said: list[str]) -> Iterator[Callable[[str], tuple[Supervisor, Process]]]:
    """A supervisor of one process that has ended by itself."""
    made: list[Supervisor] = []

    def one(command: str) -> tuple[Supervisor, Process]:
        process = Process("child", ["sh", "-c", command], tmp_path / "log")
        made.append(Supervisor([process], said.append))
        process.start()
        wait_for(lambda: not process.is_alive)
        return made[-1], process

    yield one
    for each in made:
        each.stop_all()


def test_pauses_grow_up_to_the_longest_and_stay_there() -> None:
    assert [pause_after(failures) for failures in range(8)] == [0, 1, 3, 7, 15, 30, 30, 30]
    assert pause_after(1_023) == pause_after(1_024) == pause_after(10**9) == supervisor.LONGEST_PAUSE


def test_a_process_that_failed_a_thousand_times_is_still_started_again(
    supervised: Callable[[str], tuple[Supervisor, Process]], said: list[str]
) -> None:
    watcher, process = supervised("exit 3")
    process.failures = 1_023
    watcher._keep_alive(process)
    assert process.failures == 1_024 and "child stopped (status 3)" in said[0]
    assert process.not_before - time.monotonic() == pytest.approx(supervisor.LONGEST_PAUSE, abs=5)
    before = process.child
    process.not_before = 1e-9
    watcher._keep_alive(process)
    assert process.child is not before


def test_a_process_that_has_lived_is_started_again_at_once(
    supervised: Callable[[str], tuple[Supervisor, Process]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SHORT_LIFE", 0.2)
    watcher, process = supervised("sleep 0.3")
    process.failures = 7
    before = process.child
    watcher._keep_alive(process)
    assert process.failures == 0 and process.child is not before and process.is_alive


def test_a_process_that_cannot_even_be_started_ends_nothing(
    supervised: Callable[[str], tuple[Supervisor, Process]], said: list[str]
) -> None:
    watcher, process = supervised("exit 0")
    process.command = ["/nowhere/at/all"]
    process.started -= 2 * supervisor.SHORT_LIFE
    for failures in (1, 2):
        process.not_before = min(process.not_before, 1e-9)
        watcher._keep_alive(process)
        assert process.failures == failures and process.not_before > time.monotonic()
    assert "Can't start child, trying again" in said[-1]


def test_what_falls_over_is_started_again_after_growing_pauses_and_the_rest_runs_on(start: Start) -> None:
    product = start(
        lives=f"echo $$ >> lives.pid; {LIVES}",
        falls="date +%s.%N >> falls.at; exit 1",
    )
    wait_for(lambda: len(product.lines("falls.at")) == 4)
    product.end()
    moments = [float(line) for line in product.lines("falls.at")]
    pauses = [after - before for before, after in pairwise(moments)]
    assert pauses[0] >= 0.1 and pauses[1] >= 0.3 and pauses[2] >= 0.7
    assert len(product.lines("lives.pid")) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_of_it_whatever_waits_to_be_started(start: Start, number: signal.Signals) -> None:
    product = start(
        database=f"trap 'echo database >> ended; exit' TERM; echo $$ >> pids; {LIVES}",
        pages=f"trap 'echo pages >> ended; exit' TERM; echo $$ >> pids; {LIVES}",
        falls="exit 1",
    )
    wait_for(lambda: len(product.lines("pids")) == 2)
    said = product.end(number)
    assert product.popen.returncode == 0 and said.splitlines()[-1] == "ended"
    assert product.lines("ended") == ["pages", "database"]
    assert not any(is_there(line) for line in product.lines("pids"))


def test_while_the_pages_do_not_answer_dead_processes_are_started_again_and_ctrl_c_works(start: Start) -> None:
    # It takes connections, but never answers.
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        product = start(port=deaf.getsockname()[1], pages="echo >> falls; exit 1")
        wait_for(lambda: len(product.lines("falls")) == 3)
        assert product.end().splitlines()[-1] == "ended"


def test_nohup_keeps_it_alive_without_its_terminal(start: Start) -> None:
    product = start(prefix=["nohup"], lives=f"echo $$ >> lives.pid; {LIVES}")
    wait_for(lambda: bool(product.lines("lives.pid")))
    product.popen.send_signal(signal.SIGHUP)
    # If the signal had been heard, this wouldn't be started again.
    os.kill(int(product.lines("lives.pid")[0]), signal.SIGKILL)
    wait_for(lambda: len(product.lines("lives.pid")) == 2)
    assert product.end(signal.SIGTERM).splitlines()[-1] == "ended"


def test_the_logs_of_what_keeps_printing_stay_short(start: Start, tmp_path: Path) -> None:
    log, older = tmp_path / "log", tmp_path / "log.1"
    product = start(prints="i=0; while true; do i=$((i + 1)); printf '%0100d\\n' $i; sleep 0.005; done")
    wait_for(older.exists)
    first = older.stat().st_mtime_ns
    wait_for(lambda: older.stat().st_mtime_ns > first)
    product.end()
    assert {path.name for path in tmp_path.iterdir()} == {"log", "log.1"}
    assert older.stat().st_size == 10_000 and log.stat().st_size < 100_000
    # The first line is cut. There's no gap of NULs, because the process appends.
    lines = (older.read_text() + log.read_text()).splitlines()[1:]
    assert all(len(line) == 100 and line.isdigit() for line in lines)
    assert len(lines) > 50 and lines == sorted(set(lines))


def test_a_log_stays_within_its_bound_while_it_is_flooded_and_keeps_what_is_newest(
    start: Start, tmp_path: Path
) -> None:
    log, older = tmp_path / "log", tmp_path / "log.1"
    product = start(most=200_000, floods=f'exec {sys.executable} -c "{FLOODS}"')
    wait_for(older.exists)
    sizes = []
    ends = time.monotonic() + 1
    while time.monotonic() < ends:
        sizes.append(log.stat().st_size)
        time.sleep(0.01)
    product.end()
    assert max(sizes) < 1_000_000 and len(set(sizes)) > 10
    numbers = [int(line) for line in log.read_text().splitlines()]
    last = int(older.read_text().splitlines()[-1])
    assert older.stat().st_size >= 200_000 and numbers == list(range(numbers[0], numbers[-1] + 1))
    # Nothing is missing between the two files, except for what came in the instant of the cut.
    assert 0 < numbers[0] - last < 1_000


def test_a_log_that_earlier_versions_let_grow_keeps_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "MAX_LOG_BYTES", 10)
    log = tmp_path / "web.log"
    supervisor.shorten(log)
    assert not log.exists()
    log.write_text("0123456789")
    supervisor.shorten(log)
    assert log.read_text() == "0123456789" and not (tmp_path / "web.log.1").exists()
    log.write_text("A long one, and its end.\n")
    supervisor.shorten(log)
    assert (log.read_text(), (tmp_path / "web.log.1").read_text()) == ("", " its end.\n")


def test_a_log_that_cannot_be_shortened_ends_nothing_and_is_told_once_a_minute(
    said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "MAX_LOG_BYTES", 10)
    log = tmp_path / "web.log"
    log.write_text("A long one, and its end.\n")
    (tmp_path / "web.log.1").mkdir()
    watcher = Supervisor([Process("web", [], log), Process("writer", [], log)], said.append)
    for _ in range(2):
        watcher._shorten_logs()
    assert len(said) == 1 and "Can't shorten" in said[0] and str(log) in said[0]
    assert log.read_text().startswith("A long one")


def test_what_does_not_listen_is_killed_with_all_that_it_started(start: Start) -> None:
    product = start(
        patience=0.3,
        deaf=f"trap '' TERM; echo $$ >> pids; {LIVES}",
        child="trap '' TERM; sh -c 'echo $$ >> pids; trap \"\" TERM; while true; do sleep 0.05; done'",
    )
    wait_for(lambda: len(product.lines("pids")) == 2)
    product.end()
    assert product.popen.returncode == 0
    wait_for(lambda: not any(is_there(line) for line in product.lines("pids")))
