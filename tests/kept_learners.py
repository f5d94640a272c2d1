"""Learners whose graphs are built, taken again by the next training of the process whose network has the same shape.

To build them takes ten times as long as a training of a few posts, and no test but those of the learner itself and of
`ml/training/prebuilt.py` is about it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pytest
from numpy.typing import NDArray

from models_app.ml.config import NetworkConfig

#: The modules that make learners, where they are loaded: with them comes TensorFlow, which takes long.
MAKERS = ("models_app.ml.training.prebuilt", "models_app.ml.training.pretrain")
_kept: dict[tuple[object, ...], Any] = {}


def learner(
    network: NetworkConfig,
    weights: Mapping[str, NDArray[Any]],
    *,
    dropout: float = 0.0,
    products: str | None = None,
    **recipe: Any,
) -> Any:
    """In place of `Learner`: as good as a new one, as long as the one before of its shape is in use no more."""
    from models_app.ml.networks.mixed_matmul import product_type
    from models_app.ml.training.learner import Learner

    graphs = Learner._train_step, Learner._validation_step  # a test may have put others in their place
    key = (network, dropout > 0, product_type(products), *sorted(recipe.items()), *graphs)
    if key not in _kept:
        made = Learner(network, weights, dropout=dropout, products=products, **recipe)
        _kept[key] = made, made.snapshot()
    found, when_new = _kept[key]
    found.dropout = dropout
    found.restore(when_new | {f"weights.{name}": array for name, array in weights.items()})
    return found


def keep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of this test take kept learners, if what trains has been loaded before it."""
    for name in MAKERS:
        if module := sys.modules.get(name):
            monkeypatch.setattr(module, "Learner", learner)
