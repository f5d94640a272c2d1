from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import in_browser
from models_app.ml.config import NetworkConfig

from .conftest import TINY_GLR, last_line


def test_a_small_bot_in_the_browser_is_measured(
    tiny: Callable[[NetworkConfig], Path], base_corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--stride", "60", "--seeds", "1", "--rounds", "1", "--longest", "12"]
    in_browser.main(["--base", str(tiny(TINY_GLR)), "--posts", str(base_corpus), *small, "--json"])
    found = last_line(capsys)
    exact, rounded = found["files"]["float16"], found["files"]["int8"]
    assert exact["same_posts"] <= exact["posts"] and rounded["bytes"] < exact["bytes"]
    assert exact["bits_per_character"] == pytest.approx(rounded["bits_per_character"], rel=0.01)
    assert all(value > 0 for values in found["milliseconds"].values() for value in values)
    assert [len(values) for values in found["milliseconds"].values()] == [4, 4]
