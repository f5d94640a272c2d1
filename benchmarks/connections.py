"""How many requests a second a web process answers with a pool of connections to Postgres, and with one for each.

    python -m benchmarks.connections --database postgres://root@127.0.0.1:5432/postgres --json

Makes a database of its own beside the one that is named, and drops it at the end. Two web processes of the product, one
with its pool and one without, answer the same small request over REST (`GET /api/v1/tokens`) in turns.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg

from . import common
from .common import Contender, say
from .served import Folder, free_port, wait_until_ready

#: `manage.py` with its arguments, without the pool.
WITHOUT: Final = """
import manage
from botfactory import connection_pool
connection_pool.begin = lambda: None
manage.main()
"""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    facts = common.machine()
    rates: dict[int, common.Rates] = {}
    with tempfile.TemporaryDirectory() as place, _database(options.database) as database:
        home = Folder(Path(place), options.base)
        home.environment["DATABASE_URL"] = database
        say("starting")
        home.manage("migrate", "--verbosity", "0")
        home.manage("createsuperuser", "--noinput", "--username", "bench", "--email", "bench@example.org")
        token = home.manage("token", "bench", "--owner", "bench").split()[-1]
        processes = [home.start("valkey", *home.valkey())]
        try:
            addresses = {}
            for name in ("pool", "none"):
                port = free_port()
                command = home.web(port)
                if name == "none":
                    # Instead of `manage.py`.
                    command[1:2] = ["-c", WITHOUT]
                processes.append(home.start(name, *command))
                addresses[name] = f"http://127.0.0.1:{port}"
            for name, address in addresses.items():
                wait_until_ready(f"{address}/healthz", processes[1:], home, name)
            for streams in options.streams:
                turns = {name: _asked(address, token, streams, options.requests) for name, address in addresses.items()}
                rates[streams] = common.interleaved(turns, options.rounds)
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait()
    result: dict[str, Any] = {"benchmark": "connections", "machine": facts, "streams": {}}
    body: list[list[object]] = []
    for streams, found in rates.items():
        times = common.ratio(found, "pool", "none")
        medians = {name: common.spread(each).median for name, each in found.items()}
        result["streams"][streams] = {"ratio": times, "requests_per_second": medians}
        row = [f"{medians['pool']:.0f}", f"{medians['none']:.0f}"]
        body.append([streams, *row, times.text()])
    print("Requests per second:\n")
    common.table(["at once", "pool", "a connection each", "times as many"], body)
    if options.json:
        common.json_line(result)


def _asked(address: str, token: str, streams: int, requests: int) -> Contender:
    """Return a function that sends so many requests, `streams` at once, and returns how many are answered a second."""

    def send(count: int) -> None:
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}) as client:
            for _ in range(count):
                client.get("/api/v1/tokens").raise_for_status()

    def run() -> float:
        begun = time.perf_counter()
        with ThreadPoolExecutor(streams) as threads:
            list(threads.map(send, [requests // streams] * streams))
        return requests // streams * streams / (time.perf_counter() - begun)

    return run


@contextmanager
def _database(url: str) -> Iterator[str]:
    """Make a database on the same server; yield its address."""
    name = f"botfactory_bench_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--database", required=True, metavar="URL", help="a database on a Postgres server")
    parser.add_argument("--base", type=Path, default=common.BASE, metavar="DIR")
    parser.add_argument(
        "--streams", type=common.whole_numbers_in, default=[1, 8], help="requests at once (default: 1,8)"
    )
    parser.add_argument("--requests", type=int, default=200, help="requests of a turn (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
