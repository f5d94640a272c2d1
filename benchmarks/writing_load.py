"""What becomes of the web process when many people let bots write at once, give up waiting, or ask for very much.

    python -m benchmarks.writing_load --json

Starts a web process of its own with a home of its own, its Valkey and the shipped base model, reachable on this machine
only. Requests come at a steady rate, whether or not earlier ones have been answered; then many are given up after half
a second; then comes one for as much as the API's fields allow. Memory, threads and processor time are those of the web
process, from /proc, so this needs Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from . import common
from .common import say

#: Bounds of the script itself: it is to measure a machine, not to bring it down.
MAX_A_SECOND, MAX_SECONDS, MAX_GIVEN_UP = 50, 120, 1000
PATIENCE: Final = 30.0
GIVES_UP_AFTER: Final = 0.5
IDLE: Final = 0.2  # of a core
#: As much as one request may ask for.
MUCH: Final = {"n": 10, "max_characters": 4000, "temperature": 2}


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request ended (a status, or "gave up") and after how many seconds."""

    ended: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Web:
    """A web process that runs."""

    pid: int
    url: str
    token: str
    model: str

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))

    def megabytes(self) -> float:
        return self._status("VmRSS") * 1024 / 1e6

    def most_megabytes(self) -> float:
        return self._status("VmHWM") * 1024 / 1e6

    def threads(self) -> int:
        return self._status("Threads")

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    facts = common.machine()
    with tempfile.TemporaryDirectory(prefix="botfactory-bench-") as folder, running(Path(folder), options.base) as web:
        result = asyncio.run(measured(web, options)) | {"options": _asked(options)}
    _show(result)
    if options.json:
        common.json_line(result | {"machine": facts})


async def measured(web: Web, options: argparse.Namespace) -> dict[str, Any]:
    usual = {"n": options.posts, "max_characters": options.characters, "temperature": 0.9}
    headers = {"Authorization": f"Bearer {web.token}"}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=web.url, headers=headers, limits=limits, timeout=PATIENCE) as http:
        path = f"/api/v1/models/{web.model}/generate"
        say("warming up")
        alone = [await ask(http, path, usual, PATIENCE) for _ in range(3)]
        before = web.megabytes()
        say(f"{options.rate:g} requests a second for {options.seconds:g} s")
        begun = time.perf_counter()
        watch = asyncio.create_task(_watched(http, web))
        answers = await _at_a_rate(http, path, usual, options)
        took = time.perf_counter() - begun
        watch.cancel()
        pages, threads = await watch
        say(f"{options.given_up} requests that are given up after {GIVES_UP_AFTER} s")
        left, threads_left = await _given_up(http, web, path, options)
        say("one that asks for very much")
        much = await ask(http, path, MUCH, 4 * PATIENCE)
    done = sorted(answer.seconds for answer in answers if answer.ended == "200")
    refused = sorted(answer.seconds for answer in answers if answer.ended == "503")
    counts = Counter(answer.ended for answer in answers)
    return {
        "alone_seconds": statistics.median(answer.seconds for answer in alone),
        "asked": len(answers),
        "ended": dict(sorted(counts.items())),
        "written_a_second": len(done) / took,
        "share_503": counts["503"] / len(answers),
        "share_given_up": counts["gave up"] / len(answers),
        "p50_seconds": quantile(done, 0.5),
        "p95_seconds": quantile(done, 0.95),
        "refused_p95_seconds": quantile(refused, 0.95),
        "page_p95_seconds": quantile(pages, 0.95),
        "most_threads": threads,
        "given_up_most_threads": threads_left,
        "given_up_busy_seconds": left,
        "much_ended": much.ended,
        "much_seconds": much.seconds,
        "memory_before_mb": before,
        "memory_after_mb": web.megabytes(),
        "memory_most_mb": web.most_megabytes(),
    }


async def ask(http: httpx.AsyncClient, path: str, body: dict[str, Any], patience: float) -> Answer:
    """Returns how the request ended; it is given up after `patience` seconds, and its connection closed."""
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(patience):
            ended = str((await http.post(path, json=body, timeout=None)).status_code)
    except TimeoutError:
        ended = "gave up"
    except httpx.HTTPError as error:
        ended = type(error).__name__
    return Answer(ended, time.perf_counter() - begun)


async def _at_a_rate(
    http: httpx.AsyncClient, path: str, body: dict[str, Any], options: argparse.Namespace
) -> list[Answer]:
    tasks = []
    begun = time.perf_counter()
    for number in range(round(options.rate * options.seconds)):
        await asyncio.sleep(max(0.0, begun + number / options.rate - time.perf_counter()))
        tasks.append(asyncio.create_task(ask(http, path, body, options.patience)))
    return list(await asyncio.gather(*tasks))


async def _watched(http: httpx.AsyncClient, web: Web) -> tuple[list[float], int]:
    """Returns, once it is cancelled, the seconds that an ordinary request took meanwhile, and the most threads."""
    seconds: list[float] = []
    threads = 0
    try:
        while True:
            begun = time.perf_counter()
            await http.get("/api/v1/me")
            seconds.append(time.perf_counter() - begun)
            threads = max(threads, web.threads())
            await asyncio.sleep(0.25)
    except asyncio.CancelledError:
        return sorted(seconds), threads


async def _given_up(http: httpx.AsyncClient, web: Web, path: str, options: argparse.Namespace) -> tuple[float, int]:
    """Returns for how many seconds the process goes on computing for people who have gone, and its most threads."""
    body = {"n": 100, "max_characters": 280, "temperature": 1.0}
    await asyncio.gather(*(ask(http, path, body, GIVES_UP_AFTER) for _ in range(options.given_up)))
    begun, threads = time.perf_counter(), web.threads()
    while (waited := time.perf_counter() - begun) < 2 * PATIENCE:
        used = web.processor_seconds()
        await asyncio.sleep(0.5)
        threads = max(threads, web.threads())
        if web.processor_seconds() - used < IDLE * 0.5:
            break
    return waited, threads


@contextmanager
def running(folder: Path, base: Path) -> Iterator[Web]:
    """A web process with the base model, nothing else in its home, and no limit of requests a minute."""
    port = _free_port()
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "base").symlink_to(base.resolve())
    environment = {
        **os.environ,
        "BOTFACTORY_HOME": str(folder / "var"),
        "CHECKPOINTS_DIR": str(folder / "checkpoints"),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "ALLOWED_HOSTS": "127.0.0.1",
        "LIMIT_REQUESTS": "",
        "DJANGO_SUPERUSER_PASSWORD": secrets.token_urlsafe(16),
        "OPENBLAS_NUM_THREADS": "1",
    }

    def manage(*arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=common.ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout.strip()

    say("starting")
    manage("migrate", "--verbosity", "0")
    manage("createsuperuser", "--noinput", "--username", "bench", "--email", "bench@example.org")
    token = manage("token", "bench", "--owner", "bench").split()[-1]
    shell = "from models_app import registry; print(registry.base_model().pk)"
    model = manage("shell", "--no-imports", "-c", shell).split()[-1]
    shell = (
        "from django.conf import settings; from botfactory.ops import valkey; "
        "print('\\n'.join(valkey.server_command(valkey.socket_of(settings.REDIS_URL))))"
    )
    server = subprocess.Popen(manage("shell", "--no-imports", "-c", shell).splitlines(), stdout=subprocess.DEVNULL)
    command = [sys.executable, "-m", "uvicorn", "botfactory.asgi:application", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--lifespan", "off", "--no-access-log", "--log-level", "error"]
    with (folder / "web.log").open("wb") as log:
        web = subprocess.Popen(command, cwd=common.ROOT, env=environment, stdout=log, stderr=log)
    try:
        found = Web(web.pid, f"http://127.0.0.1:{port}", token, model)
        _wait_for(found, web, folder / "web.log")
        yield found
    finally:
        for process in (web, server):
            process.kill()
            process.wait()


def _wait_for(web: Web, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{web.url}/api/v1/me", headers={"Authorization": f"Bearer {web.token}"}).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise SystemExit(f"The web process does not answer: {log.read_text(encoding='utf-8')}")


def quantile(values: Sequence[float], share: float) -> float | None:
    """Returns the value below which that share of the sorted values lies; None of none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(options).items() if name not in ("base", "json")}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--rate", type=float, default=5, help=f"requests a second, at most {MAX_A_SECOND}")
    parser.add_argument("--seconds", type=float, default=20, help=f"for so long, at most {MAX_SECONDS}")
    parser.add_argument("--posts", type=int, default=10, help="of each request")
    parser.add_argument("--characters", type=int, default=280, help="of each post at most")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds after which a request is given up")
    parser.add_argument("--given-up", type=int, default=200, help=f"at most {MAX_GIVEN_UP}")
    parser.add_argument("--base", type=Path, default=common.BASE, metavar="DIR")
    options = parser.parse_args(arguments)
    bounds = ((options.rate, MAX_A_SECOND), (options.seconds, MAX_SECONDS), (options.given_up, MAX_GIVEN_UP))
    if any(not 0 < value <= most for value, most in bounds):
        parser.error(f"at most {MAX_A_SECOND} a second, {MAX_SECONDS} s and {MAX_GIVEN_UP} given up")
    return options


def _show(result: dict[str, Any]) -> None:
    common.table(["figure", "value"], [[name, _text(value)] for name, value in result.items() if name != "options"])


def _text(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
