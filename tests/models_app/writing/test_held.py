"""What a process holds, and what it gives back."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from models_app.writing import held

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems don't say")

MUCH = 60 * 10**6
#: Below this size, the C library keeps what is freed.
PIECE = 60_000


def held_bytes() -> int:
    found = held.held_bytes()
    assert found is not None
    return found


def test_what_a_process_has_written_is_held_and_what_it_maps_is_not(tmp_path: pytest.TempPathFactory) -> None:
    path = f"{tmp_path}/file"
    np.zeros(MUCH, np.uint8).tofile(path)
    before = held_bytes()
    mapped = np.memmap(path, np.uint8, "r")
    assert mapped.sum() == 0 and held_bytes() - before < MUCH / 10
    written = np.ones(MUCH, np.uint8)
    assert held_bytes() - before > 0.9 * MUCH and written.size


def test_what_was_freed_in_small_pieces_is_given_back() -> None:
    held.give_back()
    before = held_bytes()
    pieces = [bytes([number % 256]) * PIECE for number in range(MUCH // PIECE)]
    last = pieces.pop()
    assert held_bytes() - before > 0.9 * MUCH
    pieces.clear()
    held.give_back()
    assert held_bytes() - before < MUCH / 4 and last
