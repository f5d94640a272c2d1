from __future__ import annotations

import numpy as np
import pytest

from models_app.ml.errors import TrainingDiverged
from models_app.ml.networks.llama.network import frozen_tensors
from models_app.ml.networks.llama.weights import first_adapter
from models_app.ml.training.adapters.learner import AdapterLearner
from models_app.ml.training.adapters.packing import PackedBatch, packed_batches
from tests.ml.networks.llama.conftest import TINY, made_adapter, made_frozen

POSTS = [np.arange(1, 12, dtype=np.int32) + 3 * number for number in range(12)]


def learner(products: str = "float32") -> AdapterLearner:
    made = AdapterLearner(TINY, frozen_tensors(made_frozen(TINY), products))
    made.set_weights(first_adapter(TINY, 0))
    return made


def batches(posts: list[np.ndarray[tuple[int], np.dtype[np.int32]]] = POSTS) -> list[PackedBatch]:
    return packed_batches(posts, rows=2, length=32, end=TINY.end)


@pytest.mark.parametrize("products", ["float32", "bfloat16"])
def test_it_learns_and_the_frozen_weights_stay(products: str) -> None:
    made = learner(products)
    before = {name: tensor.numpy().copy() for name, tensor in made.network.frozen.items()}
    start, count = made.validate(batches())
    for _ in range(12):
        for batch in batches():
            made.train(batch, learning_rate=0.02)
    end, _ = made.validate(batches())
    assert count == sum(len(post) + 1 for post in POSTS)
    assert end < 0.7 * start
    assert all((made.network.frozen[name].numpy() == array).all() for name, array in before.items())


def test_posts_in_a_row_do_not_see_each_other() -> None:
    made = learner()
    made.set_weights(made_adapter(TINY))
    together, _ = made.validate(batches())
    alone = sum(made.validate(packed_batches([post], rows=2, length=32, end=TINY.end))[0] for post in POSTS)
    assert together == pytest.approx(alone, rel=1e-5)


def test_rows_that_are_computed_side_by_side_give_the_gradient_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    (batch, *_) = batches()
    halves = learner()
    monkeypatch.setattr("models_app.ml.training.adapters.learner.microbatches", lambda rows: [slice(0, rows)])
    whole = learner()
    assert whole.train(batch, learning_rate=0.01) == pytest.approx(halves.train(batch, learning_rate=0.01), rel=1e-5)
    for name, array in whole.weights().items():
        np.testing.assert_allclose(halves.weights()[name], array, atol=2e-4)


def test_surprisals_are_those_of_each_target() -> None:
    made = learner()
    (batch, *_) = batches()
    each = made.surprisals(batch)
    total, _ = made.validate([batch])
    assert each.shape == batch.inputs.shape
    assert float((each * batch.weights).sum()) == pytest.approx(total, rel=1e-5)


def test_a_snapshot_goes_on_as_if_nothing_had_happened() -> None:
    first, second = learner(), learner()
    for batch in batches():
        first.train(batch, learning_rate=0.01)
    second.restore(first.snapshot())
    for each in (first, second):
        each.train(batches()[0], learning_rate=0.01)
    assert all(np.array_equal(array, second.weights()[name]) for name, array in first.weights().items())


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    made = learner()
    broken = {name: np.full_like(array, np.nan) for name, array in first_adapter(TINY, 0).items()}
    made.set_weights(broken)
    with pytest.raises(TrainingDiverged, match="lower learning rate"):
        made.train(batches()[0], learning_rate=0.01)
