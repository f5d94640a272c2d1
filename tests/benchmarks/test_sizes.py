"""The script of sizes, on a tiny shape."""

from __future__ import annotations

import pytest

from benchmarks import sizes

from .conftest import last_line


def test_each_turn_says_how_much_memory_it_took_and_how_fast_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    sizes.main(["--shapes", "tiny", "--rounds", "1", "--steps", "1", "--json"])
    (told,) = last_line(capsys)["turns"]["tiny"]
    assert set(told) == {"training", "all", "characters", "ten", "one"} and min(told.values()) > 0
    assert 10**8 < told["training"] <= told["all"] < 2 * 10**9
