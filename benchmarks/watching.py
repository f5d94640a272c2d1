"""How soon many watching pages get their first message and each event, and how soon the status page appears.

    python -m benchmarks.watching --against ../before --json

Starts the real product on 127.0.0.1 with made-up jobs and events, while something else keeps the processor as busy as a
training. With `--against`, a second source tree takes turns with this one, in reverse order in every second round, and
each figure also appears as a ratio. The last line of the output is JSON.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from websockets.asyncio.client import connect

from .common import ROOT, json_line, machine, parser, say, spread, table

PEOPLE: Final = 20
START_SECONDS: Final = 120
#: The number of sockets opened at once, as when many pages reload after a lost connection.
AT_ONCE: Final = 50
#: The pause between two status pages. Nobody reloads faster, and workers aren't asked again within it.
PAGE_SECONDS: Final = 2.5
FIGURES: Final = ("house_ms", "first_word_p50_ms", "first_word_p95_ms", "news_p50_ms", "news_p95_ms")

#: Run in the measured tree: people with sessions, a running job for each, and everything else of an old installation.
_FILL: Final = """
import json, sys
import django
django.setup()
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.utils import timezone
from botfactory.accounts.models import User
from botfactory.jobs.models import Job, JobEvent
people, jobs, events = map(int, sys.argv[1:])
now = timezone.now()
trail = [[step / 25, 1.5] for step in range(25)]
def session_of(user):
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return session.session_key
everybody = [User.objects.create(username=f"person{n}", is_staff=not n, is_superuser=not n) for n in range(people)]
old = Job.objects.bulk_create(
    Job(owner=everybody[n % people], kind="fine_tune", queue="train", title=f"Old {n}", finished_at=now,
        state="failed" if n % 10 == 0 else "succeeded", error_code="x" if n % 10 == 0 else "")
    for n in range(jobs)
)
each = events // max(1, jobs)
JobEvent.objects.bulk_create(
    (JobEvent(job=job, sequence=n, kind="epoch", payload={"epoch": n, "trail": trail, "samples": ["a post"] * 4})
     for job in old for n in range(1, each + 1)),
    batch_size=2000,
)
# Nobody works on them: a heartbeat of the far future keeps the reaper away.
watched = Job.objects.bulk_create(
    Job(owner=user, kind="fine_tune", queue="train", title="Watched", state="running", attempt=1, started_at=now,
        heartbeat_at=now.replace(year=now.year + 1), at_terminal=True, last_sequence=10,
        progress={"phase": "training", "epoch": 2, "epochs": 9, "trail": trail})
    for user in everybody
)
JobEvent.objects.bulk_create(
    JobEvent(job=job, sequence=n, kind="epoch", payload={"epoch": n, "trail": trail, "samples": ["a post"] * 4})
    for job in watched for n in range(1, 11)
)
print(json.dumps([[session_of(user), str(job.pk)] for user, job in zip(everybody, watched)]))
"""
#: Run in the measured tree: an event for each job in turn, with the time at which it was sent.
_TELL: Final = """
import sys, time
import django
django.setup()
from botfactory.jobs import events
from botfactory.jobs.models import Job
jobs = [Job.objects.get(pk=number) for number in sys.argv[2:]]
for number in range(int(sys.argv[1])):
    events.record(jobs[number % len(jobs)], "note", {"message": "news", "sent": time.time()})
    time.sleep(0.05)
"""
_TRAIN: Final = """
import numpy
numbers = numpy.random.default_rng(1).random((512, 512), dtype="float32")
while True:
    numbers @ numbers
"""


@dataclass(frozen=True, slots=True)
class House:
    """A running product with its watchers: (session, job) of each person, the administrator first."""

    tree: Path
    environment: dict[str, str]
    port: int
    watchers: list[tuple[str, str]]


def main() -> None:
    options_of = parser(__doc__ or "")
    options_of.add_argument(
        "--against", type=Path, metavar="TREE", help="another source tree, as `git worktree add` makes"
    )
    options_of.add_argument("--sockets", type=int, default=500)
    options_of.add_argument("--jobs", type=int, default=1_000)
    options_of.add_argument("--events", type=int, default=50_000, help="of all those jobs together")
    options_of.add_argument("--news", type=int, default=100, help="events per round, at twenty per second")
    options_of.add_argument("--pages", type=int, default=5, help="house pages in a round")
    options_of.add_argument("--rounds", type=int, default=3)
    options = options_of.parse_args()
    trees = {"ours": ROOT} | ({"theirs": options.against.resolve()} if options.against else {})
    facts = machine()
    found: dict[str, dict[str, list[float]]] = {name: {figure: [] for figure in FIGURES} for name in trees}
    with running(trees, options.jobs, options.events) as houses, trained():
        for number in range(-1, options.rounds):  # the first is not counted
            say(f"round {number + 1} of {options.rounds}")
            for name in list(houses)[:: 1 if number % 2 else -1]:
                measured = asyncio.run(measure(houses[name], options.sockets, options.news, options.pages))
                for figure, value in measured.items():
                    if number >= 0:
                        found[name][figure].append(value)
    figures = {name: {figure: spread(values) for figure, values in each.items()} for name, each in found.items()}
    ratios = {}
    if options.against:
        for figure in FIGURES:
            pairs = zip(found["theirs"][figure], found["ours"][figure], strict=True)
            ratios[figure] = spread([theirs / ours for theirs, ours in pairs])
    rows = [
        [figure, *(figures[name][figure].text(1) for name in trees), *([ratios[figure].text()] if ratios else [])]
        for figure in FIGURES
    ]
    table(["", *trees, *(["theirs / ours"] if ratios else [])], rows)
    asked = {name: getattr(options, name) for name in ("sockets", "jobs", "events", "news", "pages", "rounds")}
    json_line({"benchmark": "watching", **asked, **figures, "ratios": ratios, "machine": facts})


@contextmanager
def running(trees: dict[str, Path], jobs: int, events: int) -> Iterator[dict[str, House]]:
    """Start the product of each tree with data, and with its own home and services."""
    with tempfile.TemporaryDirectory(prefix="botfactory-watching-") as folder:
        processes: list[subprocess.Popen[bytes]] = []
        houses = {}
        try:
            for name, tree in trees.items():
                say(f"starting {name}: {tree}")
                home, port = Path(folder) / name, free_port()
                environment = os.environ | {
                    "BOTFACTORY_HOME": str(home),
                    "CHECKPOINTS_DIR": str(Path(folder) / f"{name}-checkpoints"),
                    "DJANGO_SETTINGS_MODULE": "botfactory.settings",
                    "ALLOWED_HOSTS": "localhost,127.0.0.1",
                    "TRAINER_BUILDS_AHEAD": "0",
                    "DATABASE_URL": "",
                    "REDIS_URL": "",
                }
                home.mkdir()
                command = [python_of(tree), "manage.py", "run", "--port", str(port)]
                with (home / "run.out").open("wb") as output:
                    processes.append(
                        subprocess.Popen(command, cwd=tree, env=environment, stdout=output, stderr=subprocess.STDOUT)
                    )
                until_open(home / "run.out", processes[-1])
                filled = run_in(tree, environment, _FILL, str(PEOPLE), str(jobs), str(events))
                watchers = [(session, job) for session, job in json.loads(filled)]
                houses[name] = House(tree, environment, port, watchers)
            yield houses
        finally:
            for process in processes:
                process.send_signal(signal.SIGINT)
            for process in processes:
                process.wait(60)


@contextmanager
def trained() -> Iterator[None]:
    """Keep one core busy meanwhile, with the priority of the training worker."""
    command = ["nice", "-n", "5", sys.executable, "-c", _TRAIN]
    process = subprocess.Popen(command, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})
    try:
        yield
    finally:
        process.kill()
        process.wait()


def until_open(output: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while "is open at" not in (said := output.read_text(encoding="utf-8", errors="replace")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"The product does not open:\n{said}")
        time.sleep(0.1)


def python_of(tree: Path) -> str:
    """Return the interpreter of a tree: its own environment has its own dependencies; else this one."""
    own = tree / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def run_in(tree: Path, environment: dict[str, str], code: str, *arguments: str) -> str:
    command = [python_of(tree), "-c", code, *arguments]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


async def measure(house: House, sockets: int, news: int, pages: int) -> dict[str, float]:
    """The figures of one round, in milliseconds."""
    house_ms = []
    for _ in range(pages):
        await asyncio.sleep(PAGE_SECONDS)
        house_ms.append(await asyncio.to_thread(page_ms, house))
    first_words: list[float] = []
    delays: list[float] = []
    doors = asyncio.Semaphore(AT_ONCE)
    is_open = asyncio.Semaphore(0)
    watching = [
        asyncio.create_task(watch(house, *house.watchers[n % PEOPLE], doors, is_open, first_words, delays))
        for n in range(sockets)
    ]
    for _ in watching:
        await is_open.acquire()
    jobs = [job for _, job in house.watchers]
    await asyncio.to_thread(run_in, house.tree, house.environment, _TELL, str(news), *jobs)
    expected = news * sockets // PEOPLE
    deadline = time.monotonic() + 30
    while len(delays) < expected and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    if len(first_words) < sockets or len(delays) < expected * 0.99:
        raise SystemExit(f"{len(first_words)} of {sockets} first words and {len(delays)} of {expected} news came.")
    return {
        "house_ms": statistics.median(house_ms),
        "first_word_p50_ms": statistics.median(first_words),
        "first_word_p95_ms": percentile(first_words, 95),
        "news_p50_ms": statistics.median(delays),
        "news_p95_ms": percentile(delays, 95),
    }


async def watch(
    house: House,
    session: str,
    job: str,
    doors: asyncio.Semaphore,
    is_open: asyncio.Semaphore,
    first_words: list[float],
    delays: list[float],
) -> None:
    """One page: the delay of its first message, then the age of each event on arrival."""
    origin = f"http://127.0.0.1:{house.port}"
    address = f"ws://127.0.0.1:{house.port}/ws/jobs/{job}/"
    headers = {"Cookie": f"sessionid={session}"}
    async with doors:
        begun = time.perf_counter()
        # A browser offers compression, and the server decides.
        line = await connect(address, origin=origin, additional_headers=headers, open_timeout=60)  # type: ignore[arg-type]
        await line.recv()
        first_words.append(1000 * (time.perf_counter() - begun))
    is_open.release()
    try:
        async for text in line:
            now = time.time()
            for event in json.loads(text)["events"]:
                if "sent" in event["payload"]:
                    delays.append(1000 * (now - event["payload"]["sent"]))
    finally:
        await line.close()


def page_ms(house: House) -> float:
    begun = time.perf_counter()
    line = http.client.HTTPConnection("127.0.0.1", house.port, timeout=60)
    line.request("GET", "/admin/house/", headers={"Cookie": f"sessionid={house.watchers[0][0]}"})
    answer = line.getresponse()
    body = answer.read()
    line.close()
    if answer.status != 200 or b"trainer@" not in body:
        raise SystemExit(f"The house page answered {answer.status}: {body[:500]!r}")
    return 1000 * (time.perf_counter() - begun)


def percentile(values: list[float], share: int) -> float:
    return statistics.quantiles(values, n=100)[share - 1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
