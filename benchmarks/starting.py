"""How the product starts: its processes as forks of the supervisor, or each as a process of its own that loads all.

    python -m benchmarks.starting --json

Both start the same product, in the same folder, which has been started once before. They take turns, in reverse order
in every second round. Seconds count from the command to "is running at". Processor time and memory are those of all
processes, some seconds later. Memory is the proportional set size: what several processes share counts once in all.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from . import common, served
from .common import say, spread

NAMES: Final = ("forks", "own processes")
#: Seconds until each process waits for work.
SETTLING: Final = 10.0
LONGEST_START: Final = 120.0
#: `manage.py run` with a supervisor that can't fork.
WITHOUT_FORKS: Final = (
    "from botfactory.ops import supervisor; supervisor.can_fork = lambda: False; import manage; manage.main()"
)
#: The label and the digits of each figure.
FIGURES: Final = {
    "seconds": ("seconds to the pages", 1),
    "processor_seconds": ("processor seconds", 1),
    "megabytes": ("MB", 0),
}
Run = dict[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    facts = common.machine()
    runs: dict[str, list[Run]] = {name: [] for name in NAMES}
    with tempfile.TemporaryDirectory(prefix="botfactory-bench-") as folder:
        home = served.Folder(Path(folder), options.base)
        # Trainers build graphs in advance for the same time in both.
        home.environment |= {"TRAINER_BUILDS_AHEAD": "0"}
        say("the first start, which isn't measured")
        start(NAMES[0], home, options.settling)
        for number in range(options.rounds):
            for name in NAMES if number % 2 == 0 else NAMES[::-1]:
                say(f"round {number + 1} of {options.rounds}: {name}")
                runs[name].append(start(name, home, options.settling))
    result = compared(runs)
    common.table(
        ["", *NAMES, "times as much"],
        [
            [label, *(each.text(digits) for each in result[figure].values()), result["ratio"][figure].text()]
            for figure, (label, digits) in FIGURES.items()
        ],
    )
    if options.json:
        common.json_line({**result, "runs": runs, "machine": facts})


def compared(runs: dict[str, list[Run]]) -> dict[str, dict[str, Any]]:
    """Return the spread of each figure for both, and the ratios of own processes to forks."""
    forks, own = runs.values()
    return {
        **{figure: {name: spread([run[figure] for run in runs[name]]) for name in NAMES} for figure in FIGURES},
        "ratio": {
            figure: spread([b[figure] / a[figure] for a, b in zip(forks, own, strict=True)]) for figure in FIGURES
        },
    }


def start(name: str, home: served.Folder, settling: float) -> Run:
    """Start and stop the product; return its figures."""
    command = ["-c", WITHOUT_FORKS] if name == NAMES[1] else ["manage.py"]
    begun = time.monotonic()
    process = home.start("run", sys.executable, *command, "run", "--port", str(served.free_port()))
    try:
        while "is running at" not in home.log("run").read_text(encoding="utf-8"):
            if process.poll() is not None or time.monotonic() - begun > LONGEST_START:
                raise SystemExit(f"The product doesn't start: {home.log('run').read_text(encoding='utf-8')}")
            time.sleep(0.02)
        seconds = time.monotonic() - begun
        time.sleep(settling)
        members = family(process.pid)
        return {
            "seconds": seconds,
            "processor_seconds": sum(served.Process(member).processor_seconds() for member in members),
            "megabytes": sum(proportional_megabytes(member) for member in members),
            "processes": float(len(members)),
        }
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def family(pid: int) -> list[int]:
    """Return this process and all that descend from it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def proportional_megabytes(pid: int) -> float:
    """Return the memory of a process, of which what several share counts in part; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--base", type=Path, default=common.BASE, metavar="DIR")
    parser.add_argument("--settling", type=float, default=SETTLING, metavar="SECONDS")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
