from __future__ import annotations

import pytest

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.networks.registry import kind_of
from tests.ml.conftest import TINY


@pytest.fixture
def whole_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTFACTORY_ML_PRODUCTS", "float32")


@pytest.fixture
def start() -> Checkpoint:
    return Checkpoint(TINY, kind_of(TINY).first_weights(TINY, 0), {}, "")
