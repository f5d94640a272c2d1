from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks import temperatures
from benchmarks.posts import made_posts
from benchmarks.temperatures import REAL, Look, Way
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import NetworkConfig
from models_app.ml.networks.registry import kind_of
from models_app.ml.sampling.sampler import Sampler

from .conftest import TINY_GLR, last_line, persona_file, promised

Tiny = Callable[[NetworkConfig], Path]


def test_variety_counts_different_pairs_of_neighbours_among_the_first_words() -> None:
    assert temperatures.variety(["one two one two", "one"], 5) == 0.5  # one two, two one, one two, two one
    assert temperatures.variety(["one two one two", "three"], 3) == 1
    assert temperatures.variety([], 0) == 0


def test_the_share_of_posts_that_ended_is_of_all_that_were_drawn() -> None:
    network = TINY_GLR
    weights = kind_of(network).first_weights(network, 0)
    weights["output_bias"][:] = -30
    weights["output_bias"][ord("a")] = 0
    weights["output_bias"][0xFF] = -np.log(280)  # ends at about each 280th symbol
    posts, ended = temperatures.written(Sampler(Checkpoint(network, weights, {}, "")), Way(1.0, 1.0), 30)
    assert len(posts) == 30 and all(set(post) == {"a"} for post in posts)
    assert 0.4 < ended < 0.85  # 1 - 1 / e are expected to end


def test_each_temperature_has_its_row_and_a_second_run_takes_it_from_the_file(
    tiny: Tiny,
    base_corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file, out = persona_file(tmp_path / "someone.jsonl", list(made_posts(100))), tmp_path / "temperatures.jsonl"
    arguments = [
        str(file),
        "--base",
        str(tiny(TINY_GLR)),
        "--epochs",
        "1",
        "--temperatures",
        "0.9,1",
        "--top-p",
        "0.9,1",
    ]
    arguments += ["--others", "300", "--least", "50", "--out", str(out), "--json"]
    temperatures.main(arguments)
    found = last_line(capsys)
    looks = {way: Look(**look) for way, look in found["personas"]["someone"].items()}
    assert list(looks) == [REAL, "0.9, top-p 0.9", "1, top-p 0.9", "0.9", "1"]
    assert {way: Look(**look) for way, look in found["means"].items()} == looks
    assert looks[REAL].told_apart is None and looks[REAL].ended == 1
    # Made-up posts use few words, and an untrained network writes no real words.
    assert looks[REAL].real_words > 0.6 > 0.3 > looks["1"].real_words
    assert (looks["1"].told_apart or 0) > 0.9
    assert promised("Temperatures") <= {*found, *found["means"][REAL]}

    def written_again(*_: object) -> None:
        raise AssertionError("What the file knows is run again.")

    monkeypatch.setattr(temperatures.AtTemperatures, "run", written_again)
    temperatures.main(arguments)
    assert last_line(capsys)["means"] == found["means"]
