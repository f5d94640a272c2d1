"""The frozen weights of this process as tensors, once for all its trainings. Imports TensorFlow."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Any

from models_app.ml.networks.mixed_matmul import product_type

from .network import frozen_tensors
from .store import LIBRARY

_building = Lock()


def frozen_of(pretrained: str) -> dict[str, Any]:
    """Return the frozen weights, by the sha256 of the publisher's file. Raises PretrainedError."""
    with _building:
        return _frozen(pretrained, product_type())


@lru_cache(maxsize=2)
def _frozen(pretrained: str, products: str) -> dict[str, Any]:
    return frozen_tensors(LIBRARY.get(pretrained).weights, products)
