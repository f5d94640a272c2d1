from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from models_app.ml.sampling.sampler import Drawing, Sampler, Step
from models_app.ml.vocabulary.utf8_bytes import END
from models_app.writing.board import Board, client
from tests.models_app.conftest import base as base
from tests.models_app.conftest import bot as bot
from tests.models_app.conftest import corpus as corpus
from tests.product import wait_for

from .desk import Desk


@pytest.fixture
def board() -> Iterator[Board]:
    """The board, which the test leaves empty."""
    board = Board(client())
    yield board
    wait_for("the board to be empty", lambda: not board.pending(), 70)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Models that write until they are told to stop, with the number that are writing."""
    at_it: list[int] = []

    def draw(self: Sampler, config: Any, **values: Any) -> Drawing:
        at_it.append(1)
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                time.sleep(0.005)
                yield Step(np.array([END]), None)
            raise AssertionError("nobody has ended it")
        finally:
            at_it.pop()

    monkeypatch.setattr(Sampler, "draw", draw)
    yield at_it
    wait_for("the writing to end", lambda: not at_it, 70)
