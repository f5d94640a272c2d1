"""Learners with built graphs, reused by the next training of the process with a network of the same shape.

Building graphs takes ten times as long as a training on a few posts. Only the tests of the learner and of
`ml/training/prebuilt.py` are about it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pytest
from numpy.typing import NDArray

from models_app.ml.config import NetworkConfig

#: The modules that make learners, if they are loaded, because loading them loads TensorFlow, which takes long.
MAKERS = ("models_app.ml.training.prebuilt", "models_app.ml.training.subjects")
_kept: dict[tuple[object, ...], Any] = {}


def learner(
    network: NetworkConfig,
    weights: Mapping[str, NDArray[Any]],
    *,
    dropout: float = 0.0,
    products: str | None = None,
    **recipe: Any,
) -> Any:
    """Replaces `Learner`. It equals a new one, provided that the previous one of its shape is no longer in use."""
    from models_app.ml.networks.mixed_matmul import product_type
    from models_app.ml.training.learner import Learner

    graphs = Learner._train_step, Learner._validation_step  # a test may have replaced them
    key = (network, dropout > 0, product_type(products), *sorted(recipe.items()), *graphs)
    if key not in _kept:
        made = Learner(network, weights, dropout=dropout, products=products, **recipe)
        _kept[key] = made, made.snapshot()
    found, when_new = _kept[key]
    found.dropout = dropout
    found.restore(when_new | {f"weights.{name}": array for name, array in weights.items()})
    return found


def keep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the trainings of this test reuse learners, if the training code is already loaded."""
    for name in MAKERS:
        if module := sys.modules.get(name):
            monkeypatch.setattr(module, "Learner", learner)
