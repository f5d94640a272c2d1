from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models_app.ml.networks.llama import fused
from tests.ml.training.adapters.test_learner import batches, learner


def trained() -> dict[str, Any]:
    made = learner()
    for batch in batches():
        made.train(batch, learning_rate=0.01)
    return made.weights()


def test_a_machine_without_xla_learns_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fused.has_xla()
    with_xla = trained()
    monkeypatch.setattr(fused, "has_xla", lambda: False)
    without = trained()
    assert max(np.abs(array).max() for array in without.values()) > 0.01
    for name, array in without.items():
        np.testing.assert_allclose(with_xla[name], array, atol=2e-4)


def test_a_failing_compiler_is_noticed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*_: Any, **options: Any) -> Any:
        assert options["jit_compile"]
        raise tf.errors.UnimplementedError(None, None, "no XLA on this platform")

    monkeypatch.setattr(tf, "function", refuse)
    assert not fused.has_xla.__wrapped__()
    assert "no XLA on this platform" in caplog.text


def test_on_a_gpu_the_kernels_of_tensorflow_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "has_gpu", lambda: True)
    assert not fused.has_xla.__wrapped__()
