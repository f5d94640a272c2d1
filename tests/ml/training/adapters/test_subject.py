"""A base training of an adapter: a pretrained model is adapted to posts."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models_app.ml.checkpoint import Checkpoint, load
from models_app.ml.config import PretrainConfig
from models_app.ml.errors import Cancelled
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.networks.llama.store import LIBRARY
from models_app.ml.networks.processor import PRODUCTS_VARIABLE
from models_app.ml.training.adapters import subject
from models_app.ml.training.dataset import PostStream
from models_app.ml.training.mention_augmentation import Renaming
from models_app.ml.training.pretrain import Budget, pretrain
from tests.ml.training.adapters.test_trainer import start as start

CONFIG = PretrainConfig.auto(
    "llama",
    batch_size=2,
    sequence_length=64,
    learning_rate=0.02,
    warmup_steps=2,
    averaging=20,
    validation_stride=2,
    shuffle_posts=50,
    validation_minutes=0.0001,
    save_minutes=0.0001,
)
POSTS = [f"post {number}: the {('red', 'blue')[number % 2]} fox said {number * 7 % 10} 🦊" for number in range(200)]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "train.txt").write_text("\n".join(POSTS[:180]))
    (tmp_path / "valid.txt").write_text("\n".join(POSTS[180:]))
    return {
        "corpus": [tmp_path / "train.txt"],
        "validation": tmp_path / "valid.txt",
        "directory": tmp_path / "adapted",
        "budget": Budget(megabytes=0.02),
        "config": CONFIG,
    }


def test_a_base_training_adapts_a_pretrained_model_to_posts(
    start: Checkpoint, files: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PRODUCTS_VARIABLE, "float32")
    before = evaluate(start, POSTS[180:]).bits_per_character
    seen: list[float] = []
    adapted = pretrain(
        start=start, resume=False, on_validation=lambda point: seen.append(point.bits_per_character), **files
    )
    kept = load(files["directory"])
    assert kept.network == start.network and set(kept.weights) == set(start.weights)
    assert adapted.meta["bits_per_character"] < 0.8 * before
    assert seen[-1] < seen[0]
    # The packed forward pass of validation and the steps of writing tell the same.
    whole = evaluate(kept, POSTS[180:]).bits_per_character
    assert kept.meta["bits_per_character"] == pytest.approx(whole, rel=1e-4)


def test_it_begins_with_an_adapter_that_changes_nothing(start: Checkpoint, files: dict[str, Any]) -> None:
    first = pretrain(network=start.network, resume=False, **files | {"budget": Budget(megabytes=0.000001)})
    assert first.meta["started_from"] is None
    assert any(np.any(array) for name, array in first.weights.items() if name.endswith(".a"))


def test_a_cancelled_one_resumes_with_the_next_batch(start: Checkpoint, files: dict[str, Any]) -> None:
    whole = pretrain(start=start, resume=False, **files | {"directory": files["directory"].with_name("whole")})
    asked = iter(range(10**9))
    with pytest.raises(Cancelled):
        pretrain(start=start, resume=False, control=lambda: "cancel" if next(asked) >= 9 else "go", **files)
    resumed = pretrain(start=start, resume=True, **files)
    assert resumed.meta["bytes_seen"] == whole.meta["bytes_seen"]
    for name, array in whole.weights.items():
        assert np.allclose(resumed.weights[name], array, atol=1e-5), name


def stream(files: dict[str, Any], start: Checkpoint, position: dict[str, Any] | None = None) -> subject.PackedStream:
    adapter = subject.Adapter(start.network, CONFIG, start.weights)  # type: ignore[arg-type]
    return adapter.stream(files["corpus"], Renaming([], names=0, tags=0), position)


def test_the_stream_goes_on_at_any_position(
    start: Checkpoint, files: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "PACKED_POSTS", 30)
    whole, taken, position = stream(files, start), [], None
    for number in range(100):
        resumed = stream(files, start, position)
        batch, again = next(whole), next(resumed)
        for part in ("inputs", "targets", "weights", "positions", "segments"):
            assert np.array_equal(getattr(batch, part), getattr(again, part)), (number, part)
        position = whole.position()
        assert position == resumed.position()
        taken.append(batch)
    assert position is not None and position["posts"]["pass"] > 0


def test_one_pass_reads_each_post_once(start: Checkpoint, files: dict[str, Any]) -> None:
    vocabulary = LIBRARY.get(start.network.pretrained).vocabulary  # type: ignore[union-attr]
    posts = PostStream(files["corpus"], vocabulary=vocabulary, seed=1, shuffle_posts=50)
    read = [vocabulary.decode(next(posts).tolist()) for _ in range(180)]
    assert sorted(read) == sorted(POSTS[:180]) and read != POSTS[:180]
    assert posts.position()["pass"] == 0
    next(posts)
    assert posts.position() == {"pass": 1, "chunk": 0, "offset": 1}


def test_a_llama_has_a_recipe_of_its_own() -> None:
    recipe = PretrainConfig.auto("llama")
    assert (recipe.optimizer, recipe.sequence_length) == ("adam", 256)
    assert recipe == PretrainConfig.auto("llama", continued=True)
    assert PretrainConfig.auto("glr", continued=True) == replace(PretrainConfig(), learning_rate=0.002)
    assert math.isclose(PretrainConfig.auto("lstm", learning_rate=0.5, continued=True).learning_rate, 0.5)
