"""What goes wrong on real machines, done to the real product: killed workers, a broker that restarts, Ctrl-C."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.posts import make_posts
from tests.product import Person, Product, running, wait_for

EPOCHS = 4


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    # Wide enough that an epoch takes seconds, in which something can happen.
    with running(tmp_path_factory.mktemp("product"), units=256) as product:
        yield product


@pytest.fixture(scope="module")
def alice(product: Product) -> Person:
    return Person(product, "alice")


@pytest.fixture(scope="module")
def corpus(alice: Person) -> str:
    return alice.bring_text("\n".join(make_posts(700, seed=3)))


def epochs_of(snapshot: dict[str, Any]) -> list[int]:
    return [event["payload"]["epoch"] for event in snapshot["events"] if event["kind"] == "epoch"]


def in_the_middle_of_epoch(alice: Person, job: str, epoch: int) -> None:
    def there() -> bool:
        progress = alice.job(job)["job"]["progress"]
        return bool(progress.get("epoch", 0) >= epoch and progress.get("step", 0) >= 1)

    wait_for(f"epoch {epoch}", there, 120)


def trained(alice: Person, job: str) -> dict[str, Any]:
    snapshot = alice.wait_for_state(job, "succeeded", "failed", seconds=240)
    assert snapshot["job"]["state"] == "succeeded", snapshot["job"]
    assert epochs_of(snapshot) == list(range(1, EPOCHS + 1))
    sequences = [event["sequence"] for event in snapshot["events"]]
    assert sequences == list(range(1, len(sequences) + 1))
    return snapshot


def test_a_killed_training_process_loses_the_running_epoch_at_most(
    product: Product, alice: Person, corpus: str
) -> None:
    job = alice.train(corpus, EPOCHS)
    in_the_middle_of_epoch(alice, job, 2)
    before = epochs_of(alice.job(job))
    # The child that trains, not its parent.
    os.kill(product.processes("-Q train")[-1], signal.SIGKILL)
    snapshot = trained(alice, job)
    assert epochs_of(snapshot)[: len(before)] == before
    assert snapshot["job"]["attempt"] == 2


def test_a_killed_worker_is_started_again_and_goes_on(product: Product, alice: Person, corpus: str) -> None:
    job = alice.train(corpus, EPOCHS)
    in_the_middle_of_epoch(alice, job, 2)
    for process in product.processes("-Q train"):
        os.kill(process, signal.SIGKILL)
    assert trained(alice, job)["job"]["attempt"] == 2


def test_a_restart_of_the_broker_loses_nothing(product: Product, alice: Person, corpus: str) -> None:
    if not product.processes("unixsocket"):
        pytest.skip("the broker of this run is not ours to restart")
    running_job = alice.train(corpus, EPOCHS)
    waiting_job = alice.train(corpus, EPOCHS)
    in_the_middle_of_epoch(alice, running_job, 2)
    assert alice.job(waiting_job)["job"]["queue_position"] == 1
    os.kill(product.processes("unixsocket")[0], signal.SIGKILL)
    assert trained(alice, running_job)["job"]["attempt"] == 1
    assert trained(alice, waiting_job)["job"]["attempt"] == 1


def test_after_ctrl_c_nothing_runs_and_the_next_start_goes_on(product: Product, alice: Person, corpus: str) -> None:
    job = alice.train(corpus, EPOCHS)
    in_the_middle_of_epoch(alice, job, 2)
    product.stop(signal.SIGINT)
    assert wait_for("every process to end", lambda: not product.processes(""), 20)
    product.start()
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
    trained(alice, job)


def test_a_second_start_from_the_same_home_is_refused(product: Product) -> None:
    result = product.manage("run", "--port", "0", check=False)
    assert result.returncode != 0
    assert "already runs" in result.stderr and product.url.rpartition(":")[2] in result.stderr


def test_what_is_learned_is_on_disk_and_the_work_is_cleared_away(product: Product, alice: Person, corpus: str) -> None:
    job = alice.train(corpus, 1)
    snapshot = alice.wait_for_state(job, "succeeded", "failed")
    model = snapshot["job"]["result"]["model"]
    folders: list[Path] = list(product.checkpoints.glob(f"users/*/{model}"))
    assert len(folders) == 1
    assert {path.name for path in folders[0].iterdir()} == {"config.json", "weights.safetensors"}
    assert not (product.home / "jobs" / job).exists()
