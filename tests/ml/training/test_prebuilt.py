from __future__ import annotations

from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models_app.ml.config import FineTuneConfig, NetworkConfig
from models_app.ml.training import prebuilt
from models_app.ml.training.learner import Learner
from models_app.ml.training.trainer import FineTuneResult, fine_tune
from tests.fakes.posts import make_posts
from tests.ml.conftest import TINY, TINY_GLR, random_checkpoint

DEFAULT = {"beta_2": 0.99, "clip_norm": 1.0, "dropout": 0.06}


@pytest.fixture(autouse=True)
def a_process_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prebuilt, "_asked", Event())
    monkeypatch.setattr(prebuilt, "_spare", None)


def graphs(of: Any) -> int:
    return int(of._step.experimental_get_tracing_count() + of._check.experimental_get_tracing_count())


def trained(folder: Path) -> FineTuneResult:
    posts = make_posts(160)
    folder.mkdir()
    return fine_tune(
        start=random_checkpoint(TINY_GLR),
        train=posts[:90],
        validation=posts[90:],
        config=FineTuneConfig.auto(characters=sum(map(len, posts[:90])), epochs=2, seed=3),
        work_dir=folder,
        on_progress=lambda _: None,
        on_epoch=lambda _: None,
        control=lambda: "go",
        sample_count=0,
    )


def test_a_training_finds_its_graphs_built_and_ends_as_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = trained(tmp_path / "alone")
    prebuilt._asked.clear()
    # With other weights than those that learn. The machine is measured at the same time.
    measured = prebuilt.prepare(random_checkpoint(TINY_GLR, seed=8))
    assert measured is not None and measured > 0
    taken: list[Any] = []
    give = prebuilt.learner

    def giving(*given: Any, **named: Any) -> Any:
        taken.append(give(*given, **named))
        return taken[-1]

    monkeypatch.setattr(prebuilt, "learner", giving)
    beside = trained(tmp_path / "beside")
    assert graphs(taken[0]) == 3  # of two batches to learn and one to validate; the training has added none
    assert [entry.train_loss for entry in beside.history] == [entry.train_loss for entry in alone.history]
    for name, array in alone.weights.items():
        np.testing.assert_array_equal(beside.weights[name], array)


@pytest.mark.parametrize(
    ("network", "changed"), [(TINY, {}), (TINY_GLR, {"clip_norm": 2.0}), (TINY_GLR, {"dropout": 0.0})]
)
def test_it_is_taken_only_where_it_fits(
    network: NetworkConfig, changed: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prebuilt, "TRAINED_ROWS", ())
    prebuilt.prepare(random_checkpoint(TINY_GLR))
    assert graphs(prebuilt.learner(network, random_checkpoint(network).weights, **DEFAULT | changed)) == 0


def test_it_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prebuilt, "TRAINED_ROWS", ())
    prebuilt.prepare(random_checkpoint(TINY_GLR))
    built = [graphs(prebuilt.learner(TINY_GLR, random_checkpoint(TINY_GLR).weights, **DEFAULT)) for _ in range(2)]
    assert built == [1, 0]


def test_a_training_that_begins_meanwhile_waits_for_one_graph_and_no_more_are_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_at_it, go_on = Event(), Event()
    validate = Learner.validate

    def validating(*given: Any, **named: Any) -> tuple[float, float]:
        is_at_it.set()
        assert go_on.wait(60)
        return validate(*given, **named)

    monkeypatch.setattr(Learner, "validate", validating)
    taken: list[Any] = []
    building = Thread(target=prebuilt.prepare, args=[random_checkpoint(TINY_GLR)])
    training = Thread(
        target=lambda: taken.append(prebuilt.learner(TINY_GLR, random_checkpoint(TINY_GLR).weights, **DEFAULT))
    )
    building.start()
    assert is_at_it.wait(60)
    training.start()
    assert prebuilt._asked.wait(60) and not taken
    go_on.set()
    building.join()
    training.join()
    assert graphs(taken[0]) == 1


def test_a_training_that_begins_meanwhile_waits_for_one_timed_step(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    train = Learner.train

    def training(*given: Any, **named: Any) -> tuple[float, float]:
        nonlocal steps
        steps += 1
        if steps == 3:  # the first builds the graph
            prebuilt._asked.set()
        return train(*given, **named)

    monkeypatch.setattr(prebuilt, "TRAINED_ROWS", (16,))
    monkeypatch.setattr(Learner, "validate", lambda *given, **named: (0.0, 1.0))
    monkeypatch.setattr(Learner, "train", training)
    assert prebuilt.prepare(random_checkpoint(TINY_GLR)) is not None
    assert steps == 3 < 1 + prebuilt.TIMED_STEPS


def test_beside_a_training_nothing_is_built() -> None:
    prebuilt.learner(TINY, random_checkpoint(TINY).weights, **DEFAULT)
    prebuilt.prepare(random_checkpoint(TINY_GLR))
    assert prebuilt._spare is None


def test_a_training_that_begins_just_before_the_building_keeps_it_from_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nobody_has_asked = Event()

    def devices(kind: str) -> list[str]:
        nobody_has_asked.set()
        return []

    monkeypatch.setattr(tf.config, "list_physical_devices", devices)
    building = Thread(target=prebuilt.prepare, args=[random_checkpoint(TINY_GLR)])
    with prebuilt._lock:
        building.start()
        assert nobody_has_asked.wait(60)
        prebuilt._asked.set()
    building.join()
    assert prebuilt._spare is None


def test_the_memory_of_a_gpu_is_left_to_those_who_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind] if kind == "GPU" else [])
    prebuilt.prepare(random_checkpoint(TINY_GLR))
    assert graphs(prebuilt.learner(TINY_GLR, random_checkpoint(TINY_GLR).weights, **DEFAULT)) == 0
