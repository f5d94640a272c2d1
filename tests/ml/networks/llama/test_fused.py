from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from models_app.ml.networks.llama import fused
from tests.ml.training.adapters.test_learner import batches, learner


def trained(products: str) -> dict[str, Any]:
    made = learner(products)
    for batch in batches():
        made.train(batch, learning_rate=0.01)
    return made.weights()


@pytest.mark.parametrize(("products", "far"), [("float32", 1e-3), ("bfloat16", 0.05)])
def test_a_machine_without_xla_learns_the_same(products: str, far: float, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for xla in (True, False):
        monkeypatch.setattr(fused, "has_xla", lambda xla=xla: xla)
        found[xla] = trained(products)
    for name, array in found[False].items():
        # Adam's step of a gradient near 0 can have either sign, so single numbers may be far apart.
        assert np.linalg.norm(found[True][name] - array) <= far * np.linalg.norm(array), name
    assert max(np.abs(array).max() for array in found[False].values()) > 0.01


def test_this_processor_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "has_gpu", lambda: False)
    assert fused.has_xla.__wrapped__()


def test_a_failing_compiler_is_noticed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*_: Any, **options: Any) -> Any:
        assert options["jit_compile"]
        raise tf.errors.UnimplementedError(None, None, "no XLA on this platform")

    monkeypatch.setattr(fused, "has_gpu", lambda: False)
    monkeypatch.setattr(tf, "function", refuse)
    assert not fused.has_xla.__wrapped__()
    assert "no XLA on this platform" in caplog.text


def test_on_a_gpu_the_kernels_of_tensorflow_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "has_gpu", lambda: True)
    assert not fused.has_xla.__wrapped__()
