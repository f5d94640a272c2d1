from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import best_of
from benchmarks.best_of import REAL, Figures
from benchmarks.posts import made_posts
from models_app.ml.config import NetworkConfig
from models_app.ml.sampling.choice import Draft

from .conftest import TINY_GLR, last_line, persona_file, promised

Tiny = Callable[[NetworkConfig], Path]
DRAFTS = [Draft(str(number), -1.0 - number) for number in range(90)]


def test_each_request_of_ten_is_chosen_from_its_own_drafts() -> None:
    assert best_of.chosen(DRAFTS, 30, 1, None) == [str(number) for number in range(30)]
    found = [int(post) for post in best_of.chosen(DRAFTS, 30, 3, None)]
    # The median of each request's likelihoods is in the middle.
    assert sorted(found) == [*range(10, 20), *range(40, 50), *range(70, 80)]
    assert len(best_of.chosen(DRAFTS[:45], 15, 3, None)) == 15


def test_each_number_of_drafts_has_its_figures(
    tiny: Tiny, base_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = persona_file(tmp_path / "someone.jsonl", list(made_posts(120)))
    arguments = [str(file), "--base", str(tiny(TINY_GLR)), "--epochs", "1", "--numbers", "1,2"]
    best_of.main([*arguments, "--least", "50", "--out", str(tmp_path / "best_of.jsonl"), "--json"])
    found = last_line(capsys)
    figures = {name: Figures(**each) for name, each in found["personas"]["someone"].items()}
    assert list(figures) == [REAL, "1", "2", "2, by likelihood"]
    assert {name: Figures(**each) for name, each in found["means"].items()} == figures
    assert figures[REAL].told_apart is None and (figures["1"].told_apart or 0) > 0.9
    assert promised("Best of") <= {*found, *found["means"]["1"]}
