"""The script of a fluent bot's steps, on a tiny Llama."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import decoding
from benchmarks.posts import made_posts
from models_app.ml.checkpoint import load
from models_app.ml.formats import gguf_files
from models_app.ml.networks.llama.config import LlamaConfig
from tests.benchmarks.conftest import last_line, persona_file
from tests.benchmarks.test_fluent import folders as folders

pytestmark = pytest.mark.long


def merged(base: Path, pretrained: Path, path: Path) -> Path:
    """Write the tiny Llama as a file that llama.cpp reads."""
    checkpoint = load(base)
    assert isinstance(checkpoint.network, LlamaConfig)
    with path.open("w+b") as out:
        folder = pretrained / checkpoint.network.pretrained
        gguf_files.write_merged(checkpoint.network, checkpoint.weights, folder, {}, out)
    return path


def test_all_are_timed_and_int8_costs_next_to_nothing(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gguf = merged(Path(folders[1]), Path(folders[3]), tmp_path / "tiny.gguf")
    posts = persona_file(tmp_path / "someone.jsonl", list(made_posts(60, seed=3)))
    options = [*folders, "--gguf", str(gguf), "--rows", "2", "--rounds", "2", "--posts", str(posts)]
    decoding.main([*options, "--json"])
    found = last_line(capsys)
    assert set(found["rates"]["2"]) == {"ONNX Runtime", "ONNX Runtime, with phrases", "llama.cpp"}
    assert all(len(rates) == 2 and min(rates) > 0 for rates in found["rates"]["2"].values())
    assert found["bits"]["int8"] == pytest.approx(found["bits"]["float32"], rel=0.01)
