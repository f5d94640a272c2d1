from __future__ import annotations

import numpy as np

from models_app.ml.config import SamplingConfig
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.sampling.variety import COMMON, MOST, PENALTY, Variety
from tests.ml.conftest import favouring

#: At temperature 0.5 and top p 0.9, it always begins with an a.
CAREFUL = favouring(a=2.5, END=2.5, **dict.fromkeys("bcdef", 0.5))


def beginnings(best_of: int, **values: float) -> list[str]:
    config = SamplingConfig(count=30, best_of=best_of, seed=1, temperature=0.5, top_p=0.9, **values)  # type: ignore[arg-type]
    return [post[len(config.prompt) :][:1] for post in Sampler(CAREFUL).generate(config).posts]


def test_posts_of_a_request_begin_differently() -> None:
    assert set(beginnings(1)) == {"a"}
    assert len(set(beginnings(3))) > 2


def test_after_its_first_symbol_a_post_goes_on_as_careful_as_usual() -> None:
    config = SamplingConfig(count=30, best_of=3, seed=1, temperature=0.5, top_p=0.9)
    assert {letter for post in Sampler(CAREFUL).generate(config).posts for letter in post[1:]} == {"a"}


def test_behind_a_prompt_they_go_on_differently() -> None:
    config = SamplingConfig(count=30, best_of=3, seed=1, temperature=0.5, top_p=0.9, prompt="so ")
    assert len({post[3] for post in Sampler(CAREFUL).generate(config).posts}) > 2


def test_what_a_request_has_drawn_is_less_likely_unless_it_is_common() -> None:
    variety = Variety(COMMON + 3)
    logits = np.zeros((2, COMMON + 3), np.float32)
    variety.note(np.array([COMMON, 5, COMMON, COMMON + 1]))
    assert (
        variety.applied(logits)[:, [COMMON, COMMON + 1, COMMON + 2, 5]].tolist() == [[-2 * PENALTY, -PENALTY, 0, 0]] * 2
    )
    for _ in range(9):
        variety.note(np.array([COMMON]))
    assert variety.applied(logits)[0, COMMON] == -PENALTY * MOST and not logits.any()
