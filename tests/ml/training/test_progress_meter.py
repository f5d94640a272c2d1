"""The smoothed loss that pages draw while an epoch runs."""

from __future__ import annotations

import math

import pytest

from models_app.ml.training.progress_meter import RecentLoss


def test_the_first_steps_count_in_full_and_old_ones_less_and_less() -> None:
    recent = RecentLoss()
    assert math.isnan(recent.mean())
    recent.add(30.0, 10, steps=4)
    assert recent.mean() == pytest.approx(3.0)
    recent.add(10.0, 10, steps=4)
    # Weights 0.75 and 1.
    assert recent.mean() == pytest.approx((0.75 * 3 + 1) / 1.75)
    for _ in range(60):
        recent.add(10.0, 10, steps=4)
    assert recent.mean() == pytest.approx(1.0, abs=1e-5)


def test_a_step_with_more_symbols_weighs_more() -> None:
    recent = RecentLoss()
    recent.add(30.0, 10, steps=1e9)
    recent.add(30.0, 30, steps=1e9)
    assert recent.mean() == pytest.approx(60 / 40)


def test_after_an_interruption_it_goes_on_from_what_was_trained() -> None:
    recent = RecentLoss()
    recent.add(10.0, 10, steps=5, so_far=2.0)
    assert recent.mean() == pytest.approx(2.0 - 1 / 5)


def test_over_one_step_it_is_that_steps_loss() -> None:
    recent = RecentLoss()
    for loss in (30.0, 20.0):
        recent.add(loss, 10, steps=0.5, so_far=9.0)
        assert recent.mean() == pytest.approx(loss / 10)
