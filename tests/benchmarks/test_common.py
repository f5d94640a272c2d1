from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import count

import pytest

from benchmarks import common


def test_contenders_take_turns_and_every_second_round_runs_backwards() -> None:
    ran: list[str] = []

    def contender(name: str, rates: list[float]) -> common.Contender:
        def run() -> float:
            ran.append(name)
            return rates[ran.count(name) - 1]

        return run

    contenders = {"a": contender("a", [9, 10, 20, 30]), "b": contender("b", [9, 5, 5, 5])}
    rates = common.interleaved(contenders, 3)
    assert "".join(ran) == "ab" + "ab" + "ba" + "ab"
    # The first run of each is a warm-up and doesn't count.
    assert rates == {"a": [10, 20, 30], "b": [5, 5, 5]}


def counting(start: int) -> common.Contender:
    """A contender that reports its process, and how often it has run there."""
    turns = count(start)
    return lambda: os.getpid() + next(turns) / 1000


def refusing() -> common.Contender:
    def run() -> float:
        raise ValueError("too few posts")

    return run


def test_a_contender_lives_in_a_process_of_its_own_and_stays_there() -> None:
    first, other = common.in_own_process(counting, 1), common.in_own_process(counting, 5)
    turns = [first(), other(), first(), other()]
    assert len({int(turn) for turn in turns} | {os.getpid()}) == 3
    assert [round(turn % 1, 3) for turn in turns] == [0.001, 0.005, 0.002, 0.006]


def test_what_a_contender_says_in_its_process_is_heard() -> None:
    with pytest.raises(ValueError, match="too few posts"):
        common.in_own_process(refusing)()


def test_a_ratio_is_the_median_of_the_rounds_and_not_of_the_figures() -> None:
    rates = {"a": [10.0, 100.0, 8.0], "b": [5.0, 100.0, 2.0]}
    assert common.ratio(rates, "a", "b") == common.Spread(2.0, 1.0, 4.0)


def test_a_rate_is_units_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([10.0, 12.5])
    monkeypatch.setattr(time, "perf_counter", lambda: next(moments))
    assert common.timed(lambda: None, 100)() == 40


def test_the_line_of_json_is_one_line_of_rounded_figures(capsys: pytest.CaptureFixture[str]) -> None:
    common.json_line({"ratio": common.Spread(1 / 3, 0.25, 0.5), "by": {64: (1.0000004, "a\nb")}})
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert json.loads(printed) == {"ratio": [0.333333, 0.25, 0.5], "by": {"64": [1.0, "a\nb"]}}


def test_the_peak_of_memory_is_that_of_the_process_and_not_of_the_one_that_started_it() -> None:
    program = """
from benchmarks.common import peak_megabytes
before = peak_megabytes()
held = b"x" * 50_000_000
print(before, peak_megabytes())
"""
    larger = b"x" * 200_000_000
    outcome = subprocess.run([sys.executable, "-c", program], cwd=common.ROOT, capture_output=True, check=True)
    before, after = map(float, outcome.stdout.split())
    assert 50 <= after - before < 60
    assert after < len(larger) / 1e6
