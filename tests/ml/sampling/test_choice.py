from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.sampling import choosing
from models_app.ml.sampling import sampler as module
from models_app.ml.sampling.choice import Draft, best
from models_app.ml.sampling.sampler import Sampler
from tests.ml.conftest import favouring

AB = favouring(a=0, b=0, END=0)


class Clock:
    """The time as the sampler reads it, and only the sampler: other threads look at the real clock."""

    def __init__(self, *moments: float) -> None:
        self._moments = iter(moments)

    def monotonic(self) -> float:
        return next(self._moments)


def with_much_b(drafts: Sequence[Draft]) -> NDArray[np.float64]:
    return np.array([draft.post.count("b") / len(draft.post) for draft in drafts])


def test_the_best_come_first_and_none_comes_twice() -> None:
    drafts = [Draft(post, -1.0) for post in ("aab", "b", "ab", "b", "aaa")]
    assert best(drafts, 3, with_much_b) == [(drafts[3], 1.0), (drafts[2], 0.5), (drafts[0], pytest.approx(1 / 3))]
    assert [draft.post for draft, _ in best(drafts, 9, with_much_b)] == ["b", "ab", "aab", "aaa"]
    assert best([], 3, with_much_b) == best([], 3, None) == []


def test_without_likeness_neither_odd_nor_dull_drafts_are_kept() -> None:
    drafts = [Draft(str(place), nats) for place, nats in enumerate([-0.1, -9.0, -1.05, -1.0, -0.9])]
    assert [(draft.nats, like) for draft, like in best(drafts, 3, None)] == [(-1.0, None), (-1.05, None), (-0.9, None)]


def test_a_request_for_the_best_draws_more_and_tells_the_chosen_ones() -> None:
    told: list[str] = []
    judged: list[str] = []

    def like(drafts: Sequence[Draft]) -> NDArray[np.float64]:
        judged.extend(draft.post for draft in drafts)
        return with_much_b(drafts)

    config = SamplingConfig(count=5, best_of=3, seed=1, temperature=1, banned=("b",))
    writing = Sampler(AB).generate(config, likeness=like, on_post=lambda _, post: told.append(post))
    assert len(judged) == len(set(judged)) > 5 and "b" not in judged
    assert writing.posts == told and len(told) == 5 and set(told) < set(judged)
    assert writing.likeness == sorted(writing.likeness, reverse=True)
    assert writing.likeness[-1] >= max(p.count("b") / len(p) for p in set(judged) - set(told))
    assert Sampler(AB).generate(config, likeness=like) == writing
    assert SamplingConfig(count=5).drafts_to_write == 5 and config.drafts_to_write == 15


def test_many_drafts_are_drawn_in_several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    choose = choosing.choose

    def counted(logits: NDArray[np.float32], *values: object, **more: object) -> NDArray[np.intp]:
        rows.append(len(logits))
        return choose(logits, *values, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "choose", counted)
    config = SamplingConfig(count=60, best_of=5, seed=1, temperature=1)
    writing = Sampler(favouring(**dict.fromkeys("abcdefgh", 0), END=0)).generate(config, likeness=with_much_b)
    assert len(writing.posts) == 60 and max(rows) == 100


def test_where_all_posts_would_be_the_same_there_is_nothing_to_choose() -> None:
    writing = Sampler(favouring(a=1, END=0)).generate(SamplingConfig(temperature=0, best_of=3, max_characters=4))
    assert len(writing.posts) == 1 and writing.likeness == []


def test_log_likelihoods_are_those_of_the_evaluation(checkpoint: Checkpoint) -> None:
    config = SamplingConfig(count=8, seed=2, temperature=1.2, max_characters=60, mask_mentions=False)
    writing = Sampler(checkpoint).generate(config, measure=True)
    for post, nats in zip(writing.posts, writing.nats, strict=True):
        assert -nats / math.log(2) == pytest.approx(evaluate(checkpoint, [post]).bits_per_character, rel=1e-3)
    assert Sampler(checkpoint).generate(config).nats == []
    # The prompt isn't the bot's.
    for part in ("", "aab "):
        begun = Sampler(AB).generate(SamplingConfig(count=20, seed=3, prompt=part), measure=True)
        np.testing.assert_allclose(begun.nats, -math.log(3), rtol=1e-3)


def test_posts_that_do_not_end_can_be_cut_instead() -> None:
    writing = Sampler(favouring(a=0)).generate(SamplingConfig(count=3, max_characters=20), cut=True)
    assert writing.posts == ["a" * 20] * 3 and writing.refused.total == 0
    # In the middle of a character, before it
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "time", Clock(0.0, *[0.1] * 3, *[2.0] * 99))
        late = Sampler(favouring(**{"\xc3": 0, "a": 0})).generate(SamplingConfig(count=50, seed=1), cut=True, seconds=1)
    assert late.refused.unfinished == 0 and late.posts and all("\ufffd" not in post for post in late.posts)
    assert {len(post.encode()) for post in late.posts} == {2, 3}


def test_when_the_time_is_up_there_is_what_has_ended() -> None:
    none = Sampler(AB).generate(SamplingConfig(count=50, seed=1), seconds=-1)
    assert none.posts == [] and none.refused.unfinished == 50
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "time", Clock(0.0, *[0.1] * 4, *[2.0] * 99))
        some = Sampler(favouring(a=0, END=0)).generate(SamplingConfig(count=50, seed=1), seconds=1)
    assert 0 < len(some.posts) < 50 and max(map(len, some.posts)) <= 4
