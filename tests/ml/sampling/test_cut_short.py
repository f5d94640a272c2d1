"""Posts that don't end by themselves, and requests whose time is up."""

from __future__ import annotations

import pytest

from models_app.ml.config import SamplingConfig
from models_app.ml.sampling import sampler as module
from models_app.ml.sampling.sampler import Sampler
from tests.ml.conftest import favouring

AB = favouring(a=0, b=0, END=0)


class Clock:
    """The time as the sampler reads it, and only the sampler: other threads look at the real clock."""

    def __init__(self, *moments: float) -> None:
        self._moments = iter(moments)

    def monotonic(self) -> float:
        return next(self._moments)


def test_posts_that_do_not_end_can_be_cut_instead() -> None:
    writing = Sampler(favouring(a=0)).generate(SamplingConfig(count=3, max_characters=20), cut=True)
    assert writing.posts == ["a" * 20] * 3 and writing.refused.total == 0
    # In the middle of a character, before it
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "time", Clock(0.0, *[0.1] * 3, *[2.0] * 99))
        late = Sampler(favouring(**{"\xc3": 0, "a": 0})).generate(SamplingConfig(count=50, seed=1), cut=True, seconds=1)
    assert late.refused.unfinished == 0 and late.posts and all("\ufffd" not in post for post in late.posts)
    assert {len(post.encode()) for post in late.posts} == {2, 3}


@pytest.mark.parametrize("best_of", [1, 2])
def test_when_the_time_is_up_there_is_what_has_ended(best_of: int) -> None:
    config = SamplingConfig(count=50, seed=1, best_of=best_of)
    none = Sampler(AB).generate(config, seconds=-1)
    assert none.posts == [] and none.refused.unfinished == 50 * best_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "time", Clock(0.0, *[0.1] * 4, *[2.0] * 99))
        some = Sampler(favouring(a=0, END=0)).generate(config, seconds=1)
    assert 0 < len(some.posts) < 50 and max(map(len, some.posts)) <= 4
