"""How the product does when many people let bots write at once, give up waiting, or ask for a lot.

    python -m benchmarks.writing_load --json
    python -m benchmarks.writing_load --rate 10 --posts 5 --bots 20 --training --json

Starts a web process and two writers with their own home (benchmarks/served.py). Requests come at a steady rate, whether
or not earlier ones have been answered. Then many are cancelled after half a second. Then comes one that asks for as
much as the API allows. Memory, threads and processor time of these processes come from /proc, so this needs Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from . import common
from .common import say
from .served import Process, Product, running, training

#: Limits of the script itself, which should measure a machine without taking it down.
MAX_A_SECOND, MAX_SECONDS, MAX_GIVEN_UP = 50, 120, 1000
PATIENCE: Final = 30.0
GIVES_UP_AFTER: Final = 0.5
IDLE: Final = 0.2  # of a core
#: The most that one request can ask for.
MUCH: Final = {"n": 10, "max_characters": 4000, "temperature": 2}


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request ended (a status, or "gave up"), and after how many seconds."""

    ended: str
    seconds: float


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    facts = common.machine()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="botfactory-bench-")))
        (folder / "product").mkdir()
        product = stack.enter_context(running(folder / "product", options.base, options.bots))
        beside = stack.enter_context(training(folder / "training", options.base)) if options.training else None
        result = asyncio.run(measured(product, options)) | {"options": _asked(options)}
        if beside is not None:
            result["training_went_on"] = beside.poll() is None
    _show(result)
    if options.json:
        common.json_line(result | {"machine": facts})


async def measured(product: Product, options: argparse.Namespace) -> dict[str, Any]:
    web, writers = product.web, product.writers
    usual = {"n": options.posts, "max_characters": options.characters, "temperature": 0.9}
    headers = {"Authorization": f"Bearer {product.token}"}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=product.url, headers=headers, limits=limits, timeout=PATIENCE) as http:
        paths = [f"/api/v1/models/{bot}/generate" for bot in product.bots]
        path = paths[0]
        say("warming up")
        for each in paths:
            # At once, so that each writer has the bot in memory.
            await asyncio.gather(*(ask(http, each, usual, PATIENCE) for _ in range(4)))
        alone = [await ask(http, path, usual, PATIENCE) for _ in range(3)]
        before, writers_before = web.megabytes(), sum(writer.megabytes() for writer in writers)
        say(f"{options.rate:g} requests a second for {options.seconds:g} s")
        begun = time.perf_counter()
        watch = asyncio.create_task(_watched(http, web))
        answers = await _at_a_rate(http, paths, usual, options)
        took = time.perf_counter() - begun
        watch.cancel()
        pages, threads = await watch
        after, writers_after = web.megabytes(), sum(writer.megabytes() for writer in writers)
        say(f"{options.given_up} requests that are given up after {GIVES_UP_AFTER} s")
        left, threads_left = await _given_up(http, product, path, options)
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
        "memory_after_mb": after,
        "memory_most_mb": web.most_megabytes(),
        "writers_memory_before_mb": writers_before,
        "writers_memory_after_mb": writers_after,
        "writers_memory_most_mb": sum(writer.most_megabytes() for writer in writers),
    }


async def ask(http: httpx.AsyncClient, path: str, body: dict[str, Any], patience: float) -> Answer:
    """Return how the request ended. After `patience` seconds, it is given up and its connection closed."""
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
    http: httpx.AsyncClient, paths: list[str], body: dict[str, Any], options: argparse.Namespace
) -> list[Answer]:
    tasks = []
    rng = random.Random(0)
    begun = time.perf_counter()
    for number in range(round(options.rate * options.seconds)):
        await asyncio.sleep(max(0.0, begun + number / options.rate - time.perf_counter()))
        tasks.append(asyncio.create_task(ask(http, rng.choice(paths), body, options.patience)))
    return list(await asyncio.gather(*tasks))


async def _watched(http: httpx.AsyncClient, web: Process) -> tuple[list[float], int]:
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


async def _given_up(
    http: httpx.AsyncClient, product: Product, path: str, options: argparse.Namespace
) -> tuple[float, int]:
    """Return for how many seconds the product computes for people who left, and the highest number of threads."""
    web = product.web
    body = {"n": 100, "max_characters": 280, "temperature": 1.0}
    await asyncio.gather(*(ask(http, path, body, GIVES_UP_AFTER) for _ in range(options.given_up)))
    begun, threads = time.perf_counter(), web.threads()
    while (waited := time.perf_counter() - begun) < 2 * PATIENCE:
        used = _used(product)
        await asyncio.sleep(0.5)
        threads = max(threads, web.threads())
        if _used(product) - used < IDLE * 0.5:
            break
    return waited, threads


def _used(product: Product) -> float:
    return sum(process.processor_seconds() for process in (product.web, *product.writers))


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the value below which that share of the sorted values lies, or None if there are no values."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else None


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(options).items() if name not in ("base", "json")}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--rate", type=float, default=5, help=f"requests a second, at most {MAX_A_SECOND}")
    parser.add_argument("--seconds", type=float, default=20, help=f"for so long, at most {MAX_SECONDS}")
    parser.add_argument("--posts", type=int, default=10, help="of each request")
    parser.add_argument("--bots", type=int, default=1, help="number of bots; each request asks a random one")
    parser.add_argument("--training", action="store_true", help="with a training beside")
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
