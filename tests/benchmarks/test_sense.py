from __future__ import annotations

import numpy as np
import pytest

from benchmarks import sense
from models_app.ml.sampling.sense import JUDGE

pytestmark = pytest.mark.long


def test_the_judge_that_bots_choose_by_is_the_one_that_the_readings_give() -> None:
    readings = sense.Readings.read()
    np.testing.assert_allclose(sense.fitted(readings.features, readings.marks), JUDGE, atol=1e-3)


def test_it_tells_which_posts_of_people_are_publishable_whose_bots_it_never_saw() -> None:
    readings = sense.Readings.read()
    usual = readings.kind == "0.5, first symbol at 1, penalty"
    judgement = sense.by_others(readings)
    assert sense.share_in_order(judgement[usual], readings.publishable[usual]) > 0.7
    one, three = (sense.chosen(readings, judgement, "0.5, first symbol at 1, penalty", drafts) for drafts in (1, 3))
    assert three[1] > one[1] + 0.1 and three[2] > 0.8 * one[2]


def test_the_figures_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    sense.main([])
    told = capsys.readouterr().err
    assert "AUC" in told and told.count("#") == len(JUDGE)
