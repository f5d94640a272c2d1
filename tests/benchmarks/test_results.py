from __future__ import annotations

from pathlib import Path

from benchmarks.results import Outcome, Results

KEY = {"persona": "someone", "depends_on": {"epochs": 3}}
OUTCOME = Outcome(1.5, 1.6, 20.0, 3, {"best_epoch": 2})


def test_an_outcome_is_found_again_only_under_all_that_it_depends_on(tmp_path: Path) -> None:
    file = tmp_path / "outcomes.jsonl"
    Results(file).put(KEY, OUTCOME)
    again = Results(file)
    assert again.get({"depends_on": {"epochs": 3}, "persona": "someone"}) == OUTCOME
    assert again.get({"depends_on": {"epochs": 4}, "persona": "someone"}) is None


def test_a_line_that_was_cut_off_costs_its_own_outcome_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "outcomes.jsonl"
    Results(file).put(KEY, OUTCOME)
    whole = file.read_text()
    other = KEY | {"persona": "another"}
    file.write_text(whole + whole[:40])
    results = Results(file)
    assert results.get(KEY) == OUTCOME and results.get(other) is None
    results.put(other, OUTCOME)
    assert Results(file).get(other) == OUTCOME and Results(file).get(KEY) == OUTCOME


def test_without_a_file_outcomes_are_known_while_the_run_lasts() -> None:
    results = Results(None)
    results.put(KEY, OUTCOME)
    assert results.get(KEY) == OUTCOME
