from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models_app.ml.networks.llama import int8_file
from models_app.ml.networks.llama.int8_file import FILE, int8_of
from models_app.ml.networks.llama.onnx_graph import graph_of

from .conftest import TINY, made_frozen

Weights = dict[str, NDArray[Any]]


def same(found: Weights, expected: Weights) -> bool:
    return found.keys() == expected.keys() and all(np.array_equal(found[name], expected[name]) for name in found)


def test_the_matrices_are_rounded_once_and_then_views_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = made_frozen(TINY)
    made = int8_of(tmp_path, TINY, frozen)
    assert [entry.name for entry in tmp_path.iterdir()] == [FILE]
    monkeypatch.setattr(int8_file, "rounded", None)
    again = int8_of(tmp_path, TINY, frozen)
    assert same(again, made) and not any(array.flags.owndata for array in again.values())
    given = graph_of(TINY, frozen, exact=False, int8=again).weights
    assert same(given, graph_of(TINY, frozen, exact=False).weights)
    assert np.shares_memory(given["0.expand.main.numbers"], again["0.expand.numbers"])


@pytest.mark.parametrize("content", [b"", b"no such file"])
def test_a_damaged_file_is_made_again(tmp_path: Path, content: bytes) -> None:
    frozen = made_frozen(TINY)
    made = {name: array.copy() for name, array in int8_of(tmp_path, TINY, frozen).items()}
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).write_bytes(content or whole[:-1])
    assert same(int8_of(tmp_path, TINY, frozen), made) and (tmp_path / FILE).read_bytes() == whole


def test_without_room_for_the_file_they_are_in_memory(tmp_path: Path) -> None:
    frozen = made_frozen(TINY)
    found = int8_of(tmp_path / "missing", TINY, frozen)
    assert same(found, int8_of(tmp_path, TINY, frozen))
