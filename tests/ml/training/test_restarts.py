from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_app.ml.training.restarts import Place, mean_with, place_of


def test_five_epochs_in_three_rounds_are_two_and_two_and_one() -> None:
    places = [place_of(epoch, epochs=5, rounds=3) for epoch in range(1, 6)]
    assert places == [Place(0, 0, 2), Place(0, 1, 2), Place(1, 0, 2), Place(1, 1, 2), Place(2, 0, 1)]
    assert [place.is_first for place in places] == [True, False, True, False, True]
    assert [place.is_last for place in places] == [False, True, False, True, True]


@given(st.integers(1, 40), st.integers(1, 40))
def test_each_epoch_has_its_place_and_the_rounds_are_alike(epochs: int, rounds: int) -> None:
    rounds = min(rounds, epochs)
    places = [place_of(epoch, epochs=epochs, rounds=rounds) for epoch in range(1, epochs + 1)]
    lengths = [[place.epochs for place in places if place.round == number] for number in range(rounds)]
    # Each round has as many consecutive epochs as it says. The numbers differ by one at most.
    assert [(place.round, place.epoch) for place in places] == [
        (number, epoch) for number in range(rounds) for epoch in range(len(lengths[number]))
    ]
    assert all(set(each) == {len(each)} for each in lengths)
    assert max(map(len, lengths)) - min(map(len, lengths)) <= 1


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_mean_of_one_more(count: int) -> None:
    arrays = [np.random.default_rng(seed).normal(size=(3, 2)).astype(np.float32) for seed in range(count + 1)]
    before = {"kernel": np.stack(arrays[:-1]).mean(axis=0)}
    found = mean_with({"kernel": arrays[-1]}, before, count)["kernel"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.mean(arrays, axis=0), atol=1e-6)
