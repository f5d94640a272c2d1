from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks import shares
from benchmarks.contenders import Ours
from benchmarks.personas import Persona
from benchmarks.posts import made_posts
from benchmarks.shares import AlongTheLine, Line
from models_app.ml.checkpoint import Checkpoint, load
from models_app.ml.config import NetworkConfig
from models_app.ml.evaluation.evaluation import evaluate

from .conftest import TINY_GLR, last_line, persona_file

Tiny = Callable[[NetworkConfig], Path]
NEWEST = [1.9, 1.8, 1.7, 1.6, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.1]


def line(validation: list[float], *parts: list[float]) -> Line:
    return Line(validation, parts or [validation], NEWEST)


@pytest.mark.parametrize(
    ("validation", "chosen"),
    [
        # Each step of a fifth is better than the one before, down to the last one tried.
        ([2.0, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9], 4),
        # 80 % is better, 60 % isn't, and the even better one further on isn't tried.
        ([2.0, 1.8, 1.0, 1.8, 1.0, 1.8, 1.7, 1.6, 1.5, 1.55, 1.6], 8),
        # Equal isn't better.
        ([2.0, 1.8, 1.7, 1.7, 1.7, 1.7, 1.6, 1.5, 1.6, 1.5, 1.6], 10),
    ],
)
def test_the_products_way_back_goes_by_fifths_as_long_as_each_is_better(validation: list[float], chosen: int) -> None:
    assert shares.steps_of_a_fifth(line(validation)) == chosen


def test_the_rules_see_validation_alone_but_for_the_one_that_knows() -> None:
    validation = [2.0, 1.9, 1.8, 1.7, 1.6, 1.504, 1.503, 1.5, 1.6, 1.7, 1.8]
    found = line(validation)
    assert shares.whole_way(found) == 10
    assert shares.best_tenth(found) == 7
    assert shares.within_half_a_per_cent(found) == 5
    assert shares.newest_known(found) == 4


def test_what_is_within_an_error_is_told_by_the_differences_of_the_parts() -> None:
    best = np.array([1.0, 2.0, 3.0, 4.0])
    # At 30 % two parts are better and two worse, by the same; at 20 % all are worse by about the same.
    more = np.ones((4, 11))
    more[:, 2], more[:, 3], more[:, 7] = [0.1, 0.11, 0.1, 0.11], [0.1, -0.1, 0.1, -0.1], 0
    parts = (best[:, None] + more).tolist()
    validation = np.mean(parts, axis=0)
    validation[7] -= 1e-9  # the best of the two equal ones
    assert shares.within_an_error(Line(list(validation), parts, NEWEST)) == 3


def test_a_persona_is_measured_along_the_line_and_a_second_run_takes_it_from_the_file(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out = persona_file(tmp_path / "someone.jsonl", list(made_posts(60))), tmp_path / "shares.jsonl"
    few = persona_file(tmp_path / "few.jsonl", list(made_posts(20)))
    arguments = [str(file), str(few), "--base", str(tiny(TINY_GLR)), "--epochs", "1", "--least", "50"]
    arguments += ["--out", str(out), "--json"]
    shares.main(arguments)
    found = last_line(capsys)
    assert set(found["means"]) == set(found["bits"]) == set(shares.RULES)
    outcome = json.loads(out.read_text())
    newest = outcome["more"]["newest"]
    assert len(newest) == len(outcome["more"]["validation"]) == 11
    for rule, chosen in found["shares"].items():
        assert found["bits"][rule] == {"someone": pytest.approx(newest[chosen["someone"]])}
    assert found["bits"]["chosen on the newest posts themselves"]["someone"] == pytest.approx(min(newest))

    def trained_again(*_: object) -> None:
        raise AssertionError("What the file knows is run again.")

    monkeypatch.setattr(AlongTheLine, "run", trained_again)
    shares.main(arguments)
    assert last_line(capsys)["bits"] == found["bits"]


def test_the_line_begins_at_the_base_model_and_goes_through_what_the_trainer_returns(tiny: Tiny) -> None:
    base, posts = load(tiny(TINY_GLR)), list(made_posts(60))
    persona = Persona("someone", 60, tuple(posts[:40]), tuple(posts[40:50]), tuple(posts[50:]))
    outcome = AlongTheLine(base, 1).run(persona, 0)
    result = Ours(base, 1).learned(persona, 0)
    returned = Checkpoint(base.network, result.weights, {}, "")
    for measured, part in (("validation", persona.validation), ("newest", persona.test)):
        bits = outcome.more[measured]
        assert bits[0] == pytest.approx(evaluate(base, part).bits_per_character)
        share = round(10 * result.interpolation)
        assert bits[share] == pytest.approx(evaluate(returned, part).bits_per_character, rel=1e-4)
        assert bits[0] != pytest.approx(bits[10], rel=1e-3)
