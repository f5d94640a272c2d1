from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest

from models_app.ml.training import machine_speed
from models_app.ml.training.machine_speed import Step, characters_per_symbol, symbols_per_second


@pytest.fixture(autouse=True)
def no_quota(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    file = tmp_path / "cpu.max"
    file.write_text("max 100000\n")
    monkeypatch.setattr(machine_speed, "_QUOTA", file)
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    return file


def test_what_a_machine_does_is_measured_also_beside_other_work() -> None:
    alone = symbols_per_second([Step(2_000, 0.1, 0.16), Step(2_000, 0.1, 0.16)], 2)
    beside = symbols_per_second([Step(2_000, 0.4, 0.16), Step(2_000, 0.2, 0.16), Step(2_000, 0.8, 0.16)], 2)
    assert alone == beside == pytest.approx(20_000)


def test_a_training_uses_no_more_cores_than_there_are(no_quota: Path) -> None:
    # 10,000 symbols per core and second.
    steps = [Step(1_900, 0.2, 0.19)]
    assert symbols_per_second(steps, 1) == pytest.approx(10_000)
    assert symbols_per_second([Step(5_000, 0.1, 0.5)], 8) == pytest.approx(50_000)
    no_quota.write_text("50000 100000\n")
    assert symbols_per_second(steps, 8) == pytest.approx(5_000)
    no_quota.unlink()
    assert symbols_per_second(steps, 8) == pytest.approx(10_000 * machine_speed.DEFAULT_CORES)


def test_a_symbol_of_a_model_stands_for_so_many_characters() -> None:
    # Four bits for each symbol, and two for each character.
    assert characters_per_symbol({"validation_loss": 4 * math.log(2), "bits_per_character": 2.0}) == pytest.approx(2)


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"validation_loss": 1.5},
        {"validation_loss": 1.5, "bits_per_character": 0.0},
        {"validation_loss": None, "bits_per_character": 2.0},
        {"validation_loss": math.nan, "bits_per_character": 2.0},
    ],
)
def test_a_model_that_does_not_tell_is_taken_to_read_characters(meta: dict[str, Any]) -> None:
    assert characters_per_symbol(meta) == 1
