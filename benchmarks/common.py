"""What the scripts share: rounds in alternating order, medians of ratios, facts about the machine, the line of JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
BASE: Final = ROOT / "checkpoints" / "base"
BUSY: Final = 0.5  # a load average above this means that something else is running
PAUSE: Final = 0.3  # seconds until the threads of the previous contender stop spinning
_FLAGS: Final = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "neon", "asimd", "bf16")
_PACKAGES: Final = ("numpy", "tensorflow", "keras", "onnxruntime", "torch")
_VARIABLES: Final = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "ONEDNN_MAX_CPU_ISA",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTRAOP_THREADS",
    "BOTFACTORY_ML_PRODUCTS",
)

Contender = Callable[[], float]  # runs once and returns its rate in units of work per second
Rates = dict[str, list[float]]  # the rates of each contender, one per round


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of a figure over the rounds, with its lowest and highest value."""

    median: float
    low: float
    high: float

    def text(self, digits: int = 2) -> str:
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


def timed(work: Callable[[], object], units: float) -> Contender:
    """Return the contender that does this work, which has this many units."""

    def run() -> float:
        begun = time.perf_counter()
        work()
        return units / (time.perf_counter() - begun)

    return run


def in_own_process(make: Callable[..., Contender], *arguments: Any) -> Contender:
    """Return the contender `make(*arguments)`, which lives in a process of its own, alone with its threads' settings.

    `make` is a function of a module, called there in the first turn. An error of the contender is raised here.
    """
    process = ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    def run() -> float:
        time.sleep(PAUSE)
        return process.submit(_turn, make, arguments).result()

    return run


def _turn(make: Callable[..., Contender], arguments: Sequence[Any]) -> float:
    return _made(make, *arguments)()


@cache
def _made(make: Callable[..., Contender], *arguments: Any) -> Contender:
    return make(*arguments)


def interleaved(contenders: Mapping[str, Contender], rounds: int) -> Rates:
    """Return the rates of all contenders. Each runs once per round, in reverse order in every second round.

    The first run of each isn't counted, because it builds graphs and fills caches.
    """
    names = list(contenders)
    for name in names:
        say(f"warming up: {name}")
        contenders[name]()
    rates: Rates = {name: [] for name in names}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        for name in names if number % 2 == 0 else reversed(names):
            rates[name].append(contenders[name]())
    return rates


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def ratio(rates: Rates, name: str, to: str) -> Spread:
    """Return how many times as fast as `to` the contender is, as the median of the ratios of the rounds."""
    return spread([ours / theirs for ours, theirs in zip(rates[name], rates[to], strict=True)])


def processor() -> tuple[str, list[str]]:
    """Return the processor's name and the flags that matter for matrix products."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine(), []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = facts.get("model name", platform.machine())
    family, model = facts.get("cpu family"), facts.get("model")
    present = (facts.get("flags") or facts.get("Features") or "").split()
    return f"{name} (family {family}, model {model})" if family else name, [f for f in _FLAGS if f in present]


def machine() -> dict[str, Any]:
    """Return what the figures depend on. Also warn on stderr about a busy machine, whose figures mean little."""
    name, flags = processor()
    load = os.getloadavg()[0]
    if load > BUSY:
        say(f"WARNING: the load average is {load:.1f}. Something else runs here; stop it and measure again.")
    return {
        "processor": name,
        "flags": flags,
        "native_bfloat16": any("bf16" in flag for flag in flags),
        "cores": os.cpu_count(),
        "load_at_start": round(load, 2),
        "versions": {"python": platform.python_version()} | {p: v for p in _PACKAGES if (v := _version(p))},
        "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
    }


def peak_megabytes() -> float:
    """Return the peak memory of this process so far, in MB (10^6 bytes)."""
    try:
        # Not getrusage: if a larger process started this one, it gives the peak of that process.
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6
    except (OSError, StopIteration):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6


def child_line(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Any:
    """Return the last line of JSON that `python -m benchmarks.MODULE` prints, run in a fresh process.

    By default, it gets the environment of this process.
    """
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.strip().splitlines()[-1])


def parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the option --json."""
    made = argparse.ArgumentParser(description=description.strip().splitlines()[0])
    made.add_argument("--json", action="store_true", help="print a last line of JSON")
    return made


def names_in(text: str) -> list[str]:
    """Return the parts of a comma-separated list."""
    return [part.strip() for part in text.split(",") if part.strip()]


def whole_numbers_in(text: str) -> list[int]:
    return [int(part) for part in names_in(text)]


def setting(text: str) -> tuple[str, Any]:
    """Return the name and the value of an option `NAME=VALUE`. The value is JSON."""
    name, _, value = text.partition("=")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NUMBER, as in learning_rate=0.002.") from None


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")


def json_line(value: object) -> None:
    """Print the value as one line of JSON, with at most six decimals."""
    print(json.dumps(_rounded(value), ensure_ascii=False, allow_nan=False))


def say(text: str) -> None:
    """Write a line for the person at the terminal to stderr."""
    print(text, file=sys.stderr, flush=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, Spread):
        return [_rounded(value.median), _rounded(value.low), _rounded(value.high)]
    if isinstance(value, Mapping):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
