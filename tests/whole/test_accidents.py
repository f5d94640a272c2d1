"""Accidents of real machines, done to the real product: killed workers, a restarted broker, Ctrl-C."""

from __future__ import annotations

import contextlib
import html
import io
import json
import os
import random
import re
import signal
import stat
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.archives import archive_2022
from tests.fakes.posts import make_posts
from tests.product import Person, Product, id_in, running, wait_for

EPOCHS = 2
ARCHIVE_POSTS = 10_000


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    # Large enough that an epoch takes seconds, in which something can happen.
    with running(tmp_path_factory.mktemp("product"), units=256) as product:
        yield product


@pytest.fixture(scope="module")
def alice(product: Product) -> Person:
    return Person(product, "alice")


@pytest.fixture(scope="module")
def corpus(alice: Person) -> str:
    return alice.bring_text("\n".join(make_posts(350, seed=3)))


def epochs_of(snapshot: dict[str, Any]) -> list[int]:
    return [event["payload"]["epoch"] for event in snapshot["events"] if event["kind"] == "epoch"]


def in_the_middle_of_epoch(alice: Person, job: str, epoch: int) -> None:
    def there() -> bool:
        progress = alice.job(job)["job"]["progress"]
        return bool(progress.get("epoch", 0) >= epoch and progress.get("step", 0) >= 1)

    wait_for(f"epoch {epoch}", there, 120)


def trained(alice: Person, job: str, epochs: int = EPOCHS) -> dict[str, Any]:
    snapshot = alice.wait_for_state(job, "succeeded", "failed", seconds=240)
    assert snapshot["job"]["state"] == "succeeded", snapshot["job"]
    assert epochs_of(snapshot) == list(range(1, epochs + 1))
    sequences = [event["sequence"] for event in snapshot["events"]]
    assert sequences == list(range(1, len(sequences) + 1))
    return snapshot


@pytest.mark.skipif(sys.platform != "linux", reason="Only on Linux do modules run in forks.")
def test_every_process_but_the_broker_is_a_fork_of_the_supervisor(product: Product) -> None:
    require_forks(product)


def require_forks(product: Product) -> None:
    assert product.process is not None
    supervisor = product.process.pid

    def are_forks() -> bool:
        others = set(product.processes("")) - {supervisor} - set(product.processes("unixsocket"))
        return len(others) >= 6 and others < set(product.processes("manage.py run"))

    # A process may end between two looks. One that isn't a fork goes on.
    wait_for("every process to be a fork", are_forks, 20)


def test_a_process_that_waits_for_trainings_has_loaded_and_written_what_each_needs(product: Product) -> None:
    wait_for("what report cards need", lambda: list(product.checkpoints.glob("bases/*/strangers.json")), 120)
    parent, child = product.processes("bf-trainer")
    assert parent_of(child) == parent
    # The parent has loaded it for all its children.
    assert all("libtensorflow" in Path(f"/proc/{process}/maps").read_text() for process in (parent, child))


@pytest.mark.differs
def test_a_killed_writer_loses_no_request(product: Product, alice: Person, corpus: str) -> None:
    base = alice.start_of(corpus)
    # Posts as long as they may be, which takes a while.
    asked = {"count": "100", "max_characters": "400", "temperature": "2", "seed": "7"}
    with ThreadPoolExecutor(1) as pool:
        writing = _seen(product, lambda: pool.submit(alice.post, f"/models/{base}/generate", asked))
        for writer in product.processes("bf-writer"):
            os.kill(writer, signal.SIGKILL)
        answer = writing.result(120)
    assert answer.status_code == 200 and 'class="post"' in answer.text
    # In the order in which the supervisor finds them.
    assert sorted(re.findall(r"writer (\d)\b.*status -9", product.output())) == ["1", "2"]
    assert _requests_of(product) == 0


def _seen(product: Product, begin: Callable[[], Future[Any]]) -> Future[Any]:
    """Return a request that a writer still works on. On a busy machine, one can end before a look at it does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        writing = begin()
        while not writing.done():
            if _requests_of(product) == 1:
                return writing
    pytest.fail("no request was seen before its end")


def _requests_of(product: Product) -> float:
    page = httpx.get(f"{product.url}/metrics").text
    return float(re.findall(r"^botfactory_writing_requests (\S+)$", page, re.MULTILINE)[0])


def test_a_killed_training_process_loses_the_running_epoch_at_most(
    product: Product, alice: Person, corpus: str
) -> None:
    job = alice.train(corpus, EPOCHS)
    in_the_middle_of_epoch(alice, job, 2)
    before = epochs_of(alice.job(job))
    # The child that trains, not its parent.
    os.kill(product.processes("bf-trainer")[-1], signal.SIGKILL)
    snapshot = trained(alice, job)
    assert epochs_of(snapshot)[: len(before)] == before
    assert snapshot["job"]["attempt"] == 2


@pytest.mark.differs
def test_a_killed_worker_and_scheduler_are_started_again_and_the_job_goes_on_though_no_importer_has_time(
    product: Product, alice: Person, corpus: str
) -> None:
    job = alice.train(corpus, EPOCHS)
    in_the_middle_of_epoch(alice, job, 2)
    with importers_stopped(product):
        for process in product.processes("bf-trainer|bf-scheduler"):
            os.kill(process, signal.SIGKILL)
        # Its message stays unanswered in the broker for a day, so the job is found by its row.
        wait_for("the next attempt", lambda: alice.job(job)["job"]["attempt"] == 2, 30)
    assert "scheduler stopped (status -9)" in product.output()
    trained(alice, job)


@contextlib.contextmanager
def importers_stopped(product: Product) -> Iterator[None]:
    """Keep the importing processes busy with something else, but not their worker."""
    processes = product.processes("bf-importer")
    importers = [process for process in processes if parent_of(process) in processes]
    assert len(importers) == 2, product.logs()
    for process in importers:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in importers:
            os.kill(process, signal.SIGCONT)


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.differs
@pytest.mark.parametrize("seed", [1, 2, 3])  # the third also kills the cleaning
def test_an_import_killed_twice_at_random_points_is_complete_with_no_post_twice(
    product: Product, alice: Person, seed: int
) -> None:
    moments = random.Random(f"killed {seed}")
    archive = archive_2022(make_posts(ARCHIVE_POSTS, seed=seed), parts=3)
    form = {"way": "file", "basis": "own"}
    job = id_in(alice.post("/corpora/new", form, {"file": ("archive.zip", archive)}), "jobs")
    # Twice at most: the third loss of a worker ends a job. The second may come while the posts are cleaned.
    for attempt, share in enumerate(sorted((moments.uniform(0.0, 0.7), moments.uniform(0.2, 1.4))), start=1):
        there = partial(is_at, alice, job, attempt, share)
        wait_for(f"{share:.2f} of the import", there, pause=0.01)
        time.sleep(moments.uniform(0, 0.1))
        kill_import(product)
    snapshot = alice.wait_for_state(job, "succeeded", "failed", seconds=60)["job"]
    assert snapshot["state"] == "succeeded", snapshot
    assert snapshot["attempt"] == 3, "both kills met the import at work"
    lines = alice.http.get(f"/corpora/{snapshot['result']['corpus']}/export").text.splitlines()
    brought = [(post["id"], post["text"]) for post in map(json.loads, lines)]
    assert len(brought) == ARCHIVE_POSTS and snapshot["result"]["posts"] == ARCHIVE_POSTS
    assert sorted(brought) == sorted(posts_in(archive))
    kept = sum(json.loads(line)["dropped"] is None for line in lines)
    assert kept == snapshot["result"]["kept"] == ARCHIVE_POSTS - sum(snapshot["result"]["dropped"].values())


def is_at(alice: Person, job_id: str, attempt: int, share: float) -> bool:
    """Return whether this attempt at the import has come this far: up to 1 it reads, above it cleans."""
    job = alice.job(job_id)["job"]
    assert job["state"] not in {"succeeded", "failed"}, f"the import ended before it was killed at {share:.2f}"
    if (job["state"], job["attempt"]) != ("running", attempt):
        return False
    progress = job["progress"]
    return bool(progress.get("phase") == "cleaning" or progress.get("total", 0) / ARCHIVE_POSTS >= share)


def kill_import(product: Product) -> None:
    """Return the process that reads the uploaded file, or the whole worker if none does any more."""
    workers = product.processes("bf-importer")
    for process in [process for process in workers if has_open(process, product.home / "uploads")] or workers:
        os.kill(process, signal.SIGKILL)


def has_open(process: int, folder: Path) -> bool:
    return any(folder in file.parents for file in open_files(process))


def open_files(process: int) -> list[Path]:
    found = []
    with contextlib.suppress(OSError):  # a file that is closed, or a process that ends, meanwhile
        for link in Path(f"/proc/{process}/fd").iterdir():
            found.append(link.readlink())
    return found


def posts_in(archive: bytes) -> list[tuple[str, str]]:
    """Return (id, text) of every post, read without the product."""
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        scripts = [
            files.read(name).decode() for name in files.namelist() if re.fullmatch(r"data/tweets(-part\d+)?\.js", name)
        ]
    found = [item["tweet"] for script in scripts for item in json.loads(script.partition("=")[2])]
    return [(item["id_str"], html.unescape(item["full_text"])) for item in found]


@pytest.mark.differs
def test_a_restart_of_the_broker_loses_nothing(product: Product, alice: Person, corpus: str) -> None:
    if not product.processes("unixsocket"):
        pytest.skip("the broker of this run is not ours to restart")
    running_job = alice.train(corpus, EPOCHS)
    waiting_job = alice.train(corpus, 1)
    in_the_middle_of_epoch(alice, running_job, 2)
    assert alice.job(waiting_job)["job"]["queue_position"] == 1
    before = product.output()
    os.kill(product.processes("unixsocket")[0], signal.SIGKILL)
    assert trained(alice, running_job)["job"]["attempt"] == 1
    assert trained(alice, waiting_job, 1)["job"]["attempt"] == 1
    stopped = re.findall(r"^(.+) stopped", product.output().removeprefix(before), re.MULTILINE)
    assert stopped == ["valkey"], product.logs()


def test_after_ctrl_c_nothing_runs_and_the_next_start_goes_on(product: Product, alice: Person, corpus: str) -> None:
    job = alice.train(corpus, EPOCHS)
    in_the_middle_of_epoch(alice, job, 2)
    product.stop(signal.SIGINT)
    assert wait_for("every process to end", lambda: not product.processes(""), 20)
    bots = product.checkpoints / "users"
    # As earlier versions made it.
    bots.chmod(0o755)
    product.start()
    # Other accounts of the machine can't read posts in it.
    assert stat.S_IMODE(bots.stat().st_mode) == 0o700
    # The supervisor has just handed the job back, which must leave no thread behind.
    require_forks(product)
    trained(alice, job)


def test_a_killed_supervisor_leaves_nothing_behind(product: Product, alice: Person, corpus: str) -> None:
    job = alice.train(corpus, EPOCHS)
    in_the_middle_of_epoch(alice, job, 2)
    assert product.process is not None
    product.process.kill()
    product.process.wait()
    product.process = None
    assert wait_for("every process to end", lambda: not product.processes(""), 30)
    product.start()
    require_forks(product)
    trained(alice, job)


def test_a_training_of_the_base_model_gives_way_to_a_bot_and_goes_on(
    product: Product, alice: Person, corpus: str
) -> None:
    form = {"name": "next", "corpus": corpus, "start": alice.start_of(corpus), "network": "glr", "minutes": "60"}
    base = id_in(alice.post("/admin/base-models/train", form), "jobs")

    def learning(attempt: int) -> float:
        job = alice.job(base)["job"]
        is_there = (job["state"], job["attempt"], job["progress"].get("phase")) == ("running", attempt, "training")
        return float(job["progress"]["minutes"]) if is_there else 0.0

    before = wait_for("the base model to learn", lambda: learning(1), 180)
    bot = alice.wait_for_state(alice.train(corpus, 1), "succeeded", "failed")["job"]
    assert bot["state"] == "succeeded", bot
    assert wait_for("the base model to learn on", lambda: learning(2), 180) >= before
    alice.post(f"/jobs/{base}/cancel", {"confirmed": "yes"})
    alice.wait_for_state(base, "cancelled")


def test_a_second_start_from_the_same_home_is_refused(product: Product) -> None:
    # As if this were a newer version than the one that runs.
    product.manage("migrate", "webhooks", "zero", "--fake")
    try:
        started = product.manage("run", "--port", "0", check=False)
        other = product.manage("invite", check=False)
        tables = product.manage("showmigrations", "webhooks").stdout
    finally:
        product.manage("migrate", "webhooks", "--fake")
    assert started.returncode != 0
    assert "is already running" in started.stderr and product.url.rpartition(":")[2] in started.stderr
    # Neither has changed the tables under the running product.
    assert other.returncode != 0 and "Stop it first" in other.stderr
    assert "[ ] 0001_initial" in tables


def test_what_is_learned_is_on_disk_and_the_work_is_cleared_away(product: Product, alice: Person, corpus: str) -> None:
    job = alice.train(corpus, 1)
    snapshot = alice.wait_for_state(job, "succeeded", "failed")
    model = snapshot["job"]["result"]["model"]
    folders: list[Path] = list(product.checkpoints.glob(f"users/*/{model}"))
    assert len(folders) == 1
    kept = {"config.json", "weights.safetensors", "posts.fingerprints"}
    assert {path.name for path in folders[0].iterdir()} == kept
    # Only after the success is reported, so a death in between loses nothing.
    assert wait_for("its work to be cleared away", lambda: not (product.home / "jobs" / job).exists(), 10)
