"""Words about drafts that weren't given out."""

from __future__ import annotations

from models_app.bots import refusals
from models_app.ml.sampling.outcome import Refused


def test_each_reason_is_named_with_its_count() -> None:
    refused = Refused(copies=1, banned=2000, unfinished=3, empty=4, house=5)
    assert refusals.reasons(refused, 280) == [
        "1 copy of a learned post",
        "2,000 with a banned word",
        "3 longer than the limit of 280 characters",
        "4 empty",
        "5 with a phrase banned here",
    ]
    assert refusals.reasons(Refused(empty=1), 280, has_prompt=True) == ["1 with nothing after the prompt"]
    assert refusals.reasons(Refused(mentions=2), 280) == ["2 with an @name"]
    assert refusals.reasons(Refused(), 280) == []


def test_characters_are_counted_by_the_limit_and_not_by_the_drafts() -> None:
    assert refusals.reasons(Refused(unfinished=295), 1) == ["295 longer than the limit of 1 character"]
    assert refusals.reasons(Refused(unfinished=1), 2) == ["1 longer than the limit of 2 characters"]
