"""The script of the steps of a network of tokens, on a tiny one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import common, token_steps
from models_app.ml.config import NetworkConfig
from tests.benchmarks.conftest import last_line, promised
from tests.ml.conftest import TINY_TOKENS


def test_both_ways_are_timed_and_compared(
    tiny: Callable[[NetworkConfig], Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(make: Callable[..., Any], *arguments: Any) -> Any:
        return make(*arguments)

    # Processes of their own would only load TensorFlow again.
    monkeypatch.setattr(common, "in_own_process", here)
    small = ["--rounds", "1", "--steps", "1", "--shapes", "1"]
    token_steps.main([*small, "--base", str(tiny(TINY_TOKENS)), "--json"])
    found = last_line(capsys)
    assert promised("Steps of tokens") <= set(found)
    shape = found["shapes"]["32 x 32, adam"]
    assert shape["ratio"][0] == pytest.approx(shape["in parts"][0] / shape["whole"][0], rel=1e-3)
