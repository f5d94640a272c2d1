from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from benchmarks import charts, common

LOG = charts.LOG.read_text(encoding="utf-8")


def test_the_charts_in_the_docs_are_those_of_the_log() -> None:
    drawn = charts.pictures(LOG)
    folder = common.ROOT / "docs" / "img"
    assert {name: (folder / name).read_text(encoding="utf-8") for name in drawn} == drawn


def test_each_contender_and_each_run_has_a_bar_with_its_figure() -> None:
    assert {bar.name: bar.value for bar in charts.learning(LOG)}["ours, default"] == 1.686
    runs = [bar.name for bar in charts.speed(LOG)]
    assert len(runs) == len(set(runs)) == 6
    picture = ElementTree.fromstring(charts.svg("Title", charts.speed(LOG), aim=2.5))
    assert len([part for part in picture.iter() if part.tag.endswith("rect")]) == 6


def test_a_row_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="has a row 'median'"):
        charts.row(LOG, "posts kept", "median")


def test_the_command_writes_both_charts(tmp_path: Path) -> None:
    charts.main(["--out", str(tmp_path)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["benchmark-learning.svg", "benchmark-speed.svg"]
