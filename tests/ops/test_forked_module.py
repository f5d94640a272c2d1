"""A supervised Python module runs in a fork of the supervisor, which is as separate as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Only on Linux do modules run in forks.")

#: A supervisor of the module `told`: argv[1] says whether it has another thread, argv[2] how often `told` runs.
SUPERVISOR = """
import os, signal, sys, threading, time
from pathlib import Path
from botfactory.ops import supervisor
from botfactory.ops.supervisor import Process, Supervisor, only_one

lock = only_one(Path("lock"))
if sys.argv[1] == "another thread":
    threading.Thread(target=time.sleep, args=[2]).start()
supervisor.FIRST_PAUSE = 0.1
ends = []

def say(text):
    print(text.partition(".")[0], flush=True)
    ends.append(text)
    if len(ends) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGTERM)

Supervisor([Process("told", ["told", *sys.argv[3:]], Path("log"), is_module=True, nice=5)], say).run(lambda: None)
"""
#: What the module finds out about its process.
TOLD = """
import json, os, signal, sys
from pathlib import Path

def is_locked():
    links = [os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")
             if os.path.lexists(f"/proc/self/fd/{number}")]
    return any(link.endswith("/lock") for link in links)

print("said")
print(json.dumps({
    "arguments": sys.argv[1:], "name": Path("/proc/self/comm").read_text().strip(), "is_main": __name__ == "__main__",
    "supervisor_ran": "botfactory.ops.supervisor" in sys.modules, "leads_session": os.getsid(0) == os.getpid(),
    "nice": os.nice(0), "holds_lock": is_locked(), "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "handlers": [int(signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGHUP)],
}), flush=True)
if "fail" in sys.argv:
    raise ValueError("it went wrong")
if "exit" in sys.argv:
    sys.exit(7)
if "killed" in sys.argv:
    os.kill(os.getpid(), signal.SIGTERM)
"""


def run(folder: Path, *arguments: str, times: int = 1, other: str = "") -> tuple[list[str], list[dict[str, Any]], str]:
    """Run the supervisor; return what it said, what each run of the module told, and the log."""
    (folder / "told.py").write_text(TOLD, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SUPERVISOR, other, str(times), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    log = (folder / "log").read_text(encoding="utf-8")
    return done.stdout.splitlines(), [json.loads(line) for line in log.splitlines() if line.startswith("{")], log


def test_a_module_runs_in_a_fork_with_a_session_a_name_and_signals_of_its_own(tmp_path: Path) -> None:
    said, [told], log = run(tmp_path, "one", "two")
    assert said == ["told stopped (status 0)"] and log.startswith("said\n")
    assert told == {
        "arguments": ["one", "two"],
        "name": "bf-told",
        "is_main": True,
        # It shares what the supervisor has loaded,
        "supervisor_ran": True,
        "leads_session": True,
        "nice": os.nice(0) + 5,
        # but neither its lock nor how it handles signals.
        "holds_lock": False,
        "blocked": [],
        "handlers": [signal.SIG_DFL, signal.SIG_DFL],
    }


@pytest.mark.parametrize(("how", "status"), [("fail", 1), ("exit", 7), ("killed", -15)])
def test_the_supervisor_sees_how_a_fork_ended(tmp_path: Path, how: str, status: int) -> None:
    said, _, log = run(tmp_path, how)
    assert said == [f"told stopped (status {status})"]
    assert ("ValueError: it went wrong" in log) is (how == "fail")


def test_a_module_that_ended_starts_again_in_a_fork_like_the_first(tmp_path: Path) -> None:
    said, told, _ = run(tmp_path, "exit", times=2)
    assert said == ["told stopped (status 7)"] * 2
    assert len(told) == 2 and told[0] == told[1]


def test_a_supervisor_with_another_thread_starts_a_process_of_its_own(tmp_path: Path) -> None:
    """A lock that the thread holds at that moment would stay locked in a fork."""
    said, [told], _ = run(tmp_path, "one", other="another thread")
    assert said == ["told stopped (status 0)"]
    assert told["arguments"] == ["one"] and told["leads_session"] is True
    assert told["supervisor_ran"] is False and told["holds_lock"] is False
