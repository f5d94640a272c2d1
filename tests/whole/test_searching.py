"""A search on the real product: two trainers share it, one is killed, and what it finds becomes a bot and a base."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.posts import make_posts
from tests.product import ROOT, Person, Product, running, wait_for

pytestmark = pytest.mark.long

TRIALS = 20
SPACE = {
    "learning_rate": {"low": 0.0005, "high": 0.05, "log": True},
    "epochs": {"choices": [3]},
    "batch_size": {"choices": [16]},
    # The shorter, the sooner the graphs are built.
    "sequence_length": {"choices": [16]},
    # One value, so that the trials share graphs' shapes and take a second each.
    "dropout": {"choices": [0.1]},
}
BASE_SPACE: dict[str, Any] = {
    "units": {"choices": [8, 16]},
    # The usual tables have millions of numbers, and saving them would take most of the time.
    **{name: {"choices": [size]} for name, size in (("layers", 1), ("context_rows", 64), ("context_width", 4))},
    "embedding": {"choices": [8]},
    "batch_size": {"choices": [16]},
    "sequence_length": {"choices": [16]},
}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running(tmp_path_factory.mktemp("product")) as product:
        yield product


@contextmanager
def second_trainer(product: Product) -> Iterator[subprocess.Popen[bytes]]:
    """Start another trainer, as on another machine."""
    command = [sys.executable, "-m", "celery", "-A", "botfactory", "worker", "--loglevel", "WARNING", "-Q", "train"]
    command += ["-n", "second@%h", "-c", "1", "--max-tasks-per-child", "1", "--without-gossip", "--without-mingle"]
    with (product.home / "second.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=product.environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def told(product: Product, *words: str) -> Any:
    return json.loads(product.manage("search", "--owner", "alice", "--json", *words).stdout)


def test_two_workers_share_a_search_and_one_is_killed(product: Product) -> None:
    alice = Person(product, "alice")
    corpus = alice.bring_text("\n".join(make_posts(120, seed=3)))
    with second_trainer(product):
        options = ["--trials", str(TRIALS), "--at-once", "2", "--seed", "7", "--pruner", "hyperband"]
        search = told(product, "start", corpus, "--tier", "quick", "--space", json.dumps(SPACE), *options)["search"]

        def trials() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = alice.http.get(f"/api/v1/searches/{search}/trials").json()["data"]
            return found

        wait_for("two trials at once", lambda: sum(one["state"] == "running" for one in trials()) == 2, 120, pause=0.5)
        children = wait_for("a trial that learns", lambda: learning(product), 120, pause=0.02)
        os.kill(children[-1], signal.SIGKILL)
        state = f"/api/v1/searches/{search}"
        wait_for("all trials", lambda: alice.http.get(state).json()["state"] == "done", 300, pause=1)
    done = trials()
    assert [one["number"] for one in done] == [*range(TRIALS)]
    assert {one["state"] for one in done} == {"complete", "pruned"}, done
    assert "As CSV" in alice.http.get(f"/searches/{search}/").text
    job = told(product, "use", search, "--name", "Best")["job"]
    bot = alice.wait_for_state(job, "succeeded", "failed")["job"]
    assert bot["state"] == "succeeded", bot
    best = min((one for one in done if one["state"] == "complete"), key=lambda one: one["bits_per_character"])
    found = told_bits(alice, bot["result"]["model"])
    assert found == f"{best['bits_per_character']:.2f}"


def test_the_best_of_a_search_for_base_models_becomes_a_version(product: Product) -> None:
    folder = product.home / "training"
    folder.mkdir(exist_ok=True)
    (folder / "train.txt").write_text("\n".join(make_posts(120, seed=1)), encoding="utf-8")
    (folder / "valid.txt").write_text("\n".join(make_posts(40, seed=2)), encoding="utf-8")
    alice = Person(product, "alice")
    alice.post("/accounts/login/", {"login": "alice", "password": "correct horse battery"})
    words = ["start-base", "--corpus", "train.txt", "--valid", "valid.txt", "--megabytes", "0.01", "--name", "found"]
    search = told(product, *words, "--space", json.dumps(BASE_SPACE), "--trials", "2")["search"]
    wait_for("both trials", lambda: "2 of 2 trials" in alice.http.get(f"/searches/{search}/").text, 120, pause=1)
    job = told(product, "use", search)["job"]
    version = alice.wait_for_state(job, "succeeded", "failed")["job"]
    assert version["state"] == "succeeded", version
    assert list(product.checkpoints.glob(f"bases/{version['result']['model']}/weights.safetensors"))


def learning(product: Product) -> list[int]:
    """Return the processes that train. Others have loaded TensorFlow, too, but none of its threads works."""
    return [process for process in product.processes("bf-trainer") if "tf_Compute" in threads_of(process)]


def threads_of(process: int) -> set[str]:
    try:
        return {(thread / "comm").read_text().strip() for thread in Path(f"/proc/{process}/task").iterdir()}
    except OSError:
        return set()


def told_bits(alice: Person, model: str) -> str:
    """Return the bits per character that the bot's page shows, with two digits."""
    page = alice.http.get(f"/api/v1/models/{model}").json()
    return f"{page['bits_per_character']:.2f}"
