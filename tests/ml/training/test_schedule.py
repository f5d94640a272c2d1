from __future__ import annotations

import pytest

from models_app.ml.training.schedule import learning_rate


def test_the_learning_rate_warms_up_and_falls_as_a_cosine() -> None:
    def rate(step: int, fraction: float) -> float:
        return learning_rate(peak=1.0, final=0.1, warmup_steps=4, step=step, fraction=fraction)

    assert [rate(step, 0) for step in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])
    assert rate(100, 0.5) == pytest.approx(0.55)
    assert rate(100, 1) == pytest.approx(0.1)
    assert rate(100, 1.2) == pytest.approx(0.1)
