"""The script of the fluent bots' figures, on a tiny Llama."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import fluent
from benchmarks.posts import made_posts
from models_app.ml import checkpoint
from models_app.ml.networks.llama.hugging_face import read_directory
from models_app.ml.networks.llama.weights import first_adapter
from tests.benchmarks.conftest import last_line, persona_file
from tests.ml.networks.llama.files import taken_into
from tests.models_app.tiny_llama import hugging_face

pytestmark = pytest.mark.long


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[list[str]]:
    """Options that name a tiny fluent base and the folder of its pretrained model."""
    found = read_directory(hugging_face(tmp_path / "tiny"))
    adapter = first_adapter(found.config, 1)
    checkpoint.save(tmp_path / "base", network=found.config, weights=adapter, meta={}, half=True)
    with taken_into(tmp_path / "pretrained", found):
        yield ["--base", str(tmp_path / "base"), "--pretrained", str(tmp_path / "pretrained")]


def test_each_contender_is_measured_and_kept(
    folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOTFACTORY_ML_PRODUCTS", "float32")
    # So it asks twice.
    monkeypatch.setattr(fluent, "REQUEST", 15)
    out = tmp_path / "out.jsonl"
    small = ["--set", "learning_rate=0.02", "--set", "sequence_length=64", "--out", str(out), "--json"]
    persona = persona_file(tmp_path / "someone.jsonl", list(made_posts(160, seed=3)))
    arguments = [str(persona), *folders, *small, "--posts", "25"]
    fluent.main(arguments)
    printed = capsys.readouterr().out
    assert "Told apart from the newest 20 %" in printed
    found = json.loads(printed.splitlines()[-1])
    assert {"personas", "means", "base", "floor", "told_apart"} <= set(found)
    means = found["means"]
    assert set(means) == set(fluent.NAMES)
    # Its adapter changes nothing yet, but posts before a post do.
    assert means["adapted"] == pytest.approx(means["smollm2"], abs=1e-3) and means["instant"] != means["adapted"]
    assert means["trained"] < 0.9 * means["adapted"]
    trained = found["personas"][0]["trained"]
    # After so little, not every post ends.
    assert trained["cpu_seconds"] > 0 and 15 < trained["posts"] == trained["told_apart"]["posts"] <= 25
    # What it writes after so little has nothing of the person's, whose older posts are like the newer ones.
    assert found["told_apart"] == trained["told_apart"]["share"] > trained["floor"]["share"] + 0.2
    lines = out.read_text().count("\n")
    fluent.main(arguments)
    assert last_line(capsys)["means"] == means and out.read_text().count("\n") == lines == len(fluent.NAMES)
