from __future__ import annotations

import numpy as np
import pytest

from benchmarks import sense
from models_app.ml.sampling.sense import JUDGE, SENSE, SENSE_ERROR

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


def test_the_sense_that_report_cards_tell_is_what_readers_found() -> None:
    readings = sense.Readings.read()
    judgement = sense.judged(readings.features, np.array(JUDGE))
    assert sense.sense_by(judgement, readings.sense) == pytest.approx(SENSE, abs=1e-2)
    by_judge, by_mean = sense.error_of_sense(readings)
    assert by_judge == pytest.approx(SENSE_ERROR, abs=0.005)
    # A judge that knew nothing of the posts would be as far off as the mean of other people's bots.
    assert by_judge < 0.7 * by_mean
