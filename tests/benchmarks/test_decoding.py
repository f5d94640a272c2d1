"""The script of a fluent bot's steps, on a tiny Llama."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import decoding
from benchmarks.posts import made_posts
from tests.benchmarks.conftest import last_line, persona_file, promised
from tests.benchmarks.test_fluent import folders as folders


def test_both_are_timed_and_int8_costs_next_to_nothing(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    posts = persona_file(tmp_path / "someone.jsonl", list(made_posts(60, seed=3)))
    decoding.main([*folders, "--rows", "2", "--rounds", "2", "--posts", str(posts), "--json"])
    found = last_line(capsys)
    assert promised("Writing with fluent bots") <= set(found)
    assert set(found["rates"]["2"]) == {"ONNX Runtime", "TensorFlow"}
    assert all(len(rates) == 2 and min(rates) > 0 for rates in found["rates"]["2"].values())
    assert found["bits"]["int8"] == pytest.approx(found["bits"]["float32"], rel=0.01)
