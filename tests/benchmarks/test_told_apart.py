"""The script that tells both tiers' posts from a person's, on tiny networks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks import told_apart
from benchmarks.personas import read_persona
from benchmarks.posts import made_posts
from models_app.ml import checkpoint
from models_app.ml.config import NetworkConfig
from models_app.ml.networks.llama.hugging_face import read_directory
from models_app.ml.networks.llama.weights import first_adapter
from tests.benchmarks.conftest import TINY_GLR, last_line, persona_file
from tests.ml.networks.llama.files import taken_into
from tests.models_app.tiny_llama import hugging_face

pytestmark = [pytest.mark.usefixtures("quick_trainings"), pytest.mark.long]


@pytest.fixture
def fluent(tmp_path: Path) -> Iterator[list[str]]:
    """Options that name a tiny fluent base and the folder of its pretrained model."""
    found = read_directory(hugging_face(tmp_path / "tiny"))
    checkpoint.save(
        tmp_path / "fluent", network=found.config, weights=first_adapter(found.config, 1), meta={}, half=True
    )
    with taken_into(tmp_path / "pretrained", found):
        yield ["--fluent-base", str(tmp_path / "fluent"), "--pretrained", str(tmp_path / "pretrained")]


def test_both_tiers_and_the_floor_are_measured_on_posts_of_all_times(
    fluent: list[str],
    tiny: Callable[[NetworkConfig], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BOTFACTORY_ML_PRODUCTS", "float32")
    monkeypatch.setattr(told_apart, "POSTS", 25)
    out = tmp_path / "out.jsonl"
    file = persona_file(tmp_path / "someone.jsonl", list(made_posts(260, seed=3)))
    arguments = [str(file), *fluent, "--quick-base", str(tiny(TINY_GLR)), "--characters", "2000", "--out", str(out)]
    told_apart.main([*arguments, "--json"])
    printed = capsys.readouterr().out
    found = json.loads(printed.splitlines()[-1])
    assert {"personas", "means", "bases"} <= set(found)
    (row,) = found["personas"]
    # What tiny networks write is no English, and the person's own posts can't be told apart.
    assert row["found"]["floor"]["share"] < 0.75 < min(row["found"][tier]["share"] for tier in ("fluent", "quick"))
    assert found["means"] == {name: row["found"][name]["share"] for name in told_apart.COLUMNS}
    assert row["found"]["quick"]["posts"] == 25

    lines = out.read_text().count("\n")
    told_apart.main([*arguments, "--json"])
    assert last_line(capsys)["means"] == found["means"] and out.read_text().count("\n") == lines == 2


def test_a_tenth_of_all_posts_is_held_out_whatever_their_age(tmp_path: Path) -> None:
    read = read_persona(persona_file(tmp_path / "someone.jsonl", list(made_posts(200, seed=5))), newest=3200)
    persona = told_apart.as_in_product(read)
    everything = [*read.train, *read.validation, *read.test]
    places = sorted(everything.index(post) for post in persona.validation)
    assert len(persona.validation) == round(len(everything) / 10) and persona.test == persona.validation
    assert places[0] < len(read.train) / 2 < places[-1]
    assert sorted([*persona.train, *persona.validation]) == sorted(everything)


def test_without_enough_held_out_posts_there_is_no_figure(
    tiny: Callable[[NetworkConfig], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = persona_file(tmp_path / "someone.jsonl", list(made_posts(60, seed=3)))
    told_apart.main([str(file), "--tiers", "quick", "--quick-base", str(tiny(TINY_GLR)), "--json"])
    assert set(last_line(capsys)["means"].values()) == {None}
