from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models_app.ml.training.averaging import EVERY, WeightAverage


def weights(value: float) -> dict[str, NDArray[Any]]:
    return {"w": np.full(3, value, np.float32)}


def test_it_is_the_exponential_average_of_every_tenth_step() -> None:
    average, expected = WeightAverage(weights(0), 50), 0.0
    for steps in range(1, 2001):
        average.follow(steps, lambda steps=steps: weights(steps))  # type: ignore[misc]
        if steps % EVERY == 0:
            update = steps // EVERY
            expected += (1 - min(0.8, update / (9 + update))) * (steps - expected)
    assert average.weights()["w"] == pytest.approx(expected)
    # Of a straight line, the average lags by the horizon less one update.
    assert average.weights()["w"] == pytest.approx(2000 - 40, rel=1e-4)


def test_it_goes_on_from_a_snapshot() -> None:
    whole, first = WeightAverage(weights(0), 50), WeightAverage(weights(0), 50)
    for steps in range(1, 41):
        whole.follow(steps, lambda steps=steps: weights(steps))  # type: ignore[misc]
        first.follow(steps, lambda steps=steps: weights(steps))  # type: ignore[misc]
    again = WeightAverage(weights(0), 50)
    again.restore(first.snapshot(), 40)
    for average in (whole, again):
        average.follow(50, lambda: weights(9))
    assert np.array_equal(whole.weights()["w"], again.weights()["w"])
    with pytest.raises(KeyError):
        again.restore({}, 40)


def test_without_a_horizon_there_is_none() -> None:
    average = WeightAverage(weights(1), 0)
    average.follow(EVERY, lambda: pytest.fail("asked for weights"))
    assert not average and average.snapshot() == {}
    average.restore({}, 0)
