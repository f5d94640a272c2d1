"""The table of the benchmark, and what cut makes of it."""

from __future__ import annotations

import csv
import html
from pathlib import Path

import pytest

from benchmarks.corpus import Costs, shell, write_table
from tweets.preparation import Packing, Recipe, prepare

pytestmark = pytest.mark.long


def test_the_shell_gets_every_quoted_post_wrong_and_ours_gets_all_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOTFACTORY_DATA", str(tmp_path))
    path = tmp_path / "posts.tsv"
    facts = write_table(path, 400, seed=1)
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row[3] for row in csv.reader(file, delimiter="\t")][1:]
    costs = Costs()
    assert shell(path, tmp_path / "shell", costs)() > 0
    lines = {line for part in (tmp_path / "shell").iterdir() for line in part.read_text("utf-8").split("\n")}
    wrong = [row for row in rows if " ".join(html.unescape(row).split(" ")) not in lines]
    assert len(wrong) == facts.quoted > 10
    assert costs.processor[0] > 0
    report = prepare([path], tmp_path / "ours", Recipe(packing=Packing.NONE), processes=1)
    assert (report.found, report.bad_lines) == (facts.posts, 0)


def test_the_same_seed_gives_the_same_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTFACTORY_DATA", str(tmp_path))
    for name in ("one", "other"):
        write_table(tmp_path / name, 50, seed=2)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
