from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from benchmarks import curve

HEAD = "minutes,bytes,learning_rate,train_loss,validation_loss\n"


@pytest.fixture
def losses(tmp_path: Path) -> list[Path]:
    """Two trainings. The second continued the first."""
    paths = [tmp_path / "1.csv", tmp_path / "2.csv"]
    paths[0].write_text(f"{HEAD}1,1000000,0.1,3.0,2.0\n2,2000000,0.1,1.5,1.6\n")
    paths[1].write_text(f"{HEAD}1,500000,0.1,1.6,1.7\n2,2000000,0.1,1.4,1.5\n")
    return paths


def test_trainings_that_went_on_from_each_other_are_one_curve(losses: list[Path]) -> None:
    points = curve.read(losses)
    assert [point.megabytes for point in points] == [1.0, 2.0, 2.5, 4.0]
    assert [point.validation * math.log(2) for point in points] == pytest.approx([2.0, 1.6, 1.7, 1.5])
    assert [point.train * math.log(2) for point in points] == pytest.approx([3.0, 1.5, 1.6, 1.4])
    of_tokens = curve.read(losses, 2.5)  # each of so many characters
    assert [point.validation * math.log(2) for point in of_tokens] == pytest.approx([0.8, 0.64, 0.68, 0.6])


def test_the_picture_has_a_point_for_each_validation_but_for_those_far_above(losses: list[Path]) -> None:
    picture = ElementTree.fromstring(curve.svg(curve.read(losses)))
    lines = {line.get("class"): line.get("points", "").split() for line in picture.iter() if "polyline" in line.tag}
    assert len(lines["valid"]) == 4
    assert len(lines["train"]) == 3  # the first training loss is above all else
    places = [float(place.partition(",")[0]) for place in lines["valid"]]
    assert places == sorted(places)
    assert places[-1] == curve.WIDTH - curve.RIGHT


def test_one_validation_is_no_curve(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text(f"{HEAD}1,1000000,0.1,3.0,2.0\n")
    with pytest.raises(ValueError, match="holds 1 validations"):
        curve.read([path])


def test_the_command_writes_the_picture(losses: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "curve.svg"
    curve.main(["--losses", *map(str, losses), "--out", str(out)])
    assert re.match(r"<svg .*viewBox", out.read_text())
    assert str(out) in capsys.readouterr().out
