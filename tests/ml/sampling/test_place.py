from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.sampling import choosing, place
from models_app.ml.sampling import sampler as module
from models_app.ml.sampling.faults import fault_of
from models_app.ml.sampling.place import Place
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.sampling.sense import Draft, features
from tests.ml.conftest import favouring

#: About half of its posts have three words and more.
WORDS = favouring(**dict.fromkeys("abcdefgh", 0), **{" ": 1.5, "END": 0})
SOUND, FAULTY = Draft("I like my cat", (1.0, 2.0)), Draft("I like the", (0.1, 0.1))


@pytest.fixture(autouse=True)
def least_surprising_is_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "judged", lambda draft: -sum(draft.surprisals))


def ended(best_of: int, *rounds: Sequence[Draft]) -> Place:
    found = Place()
    for drafts in rounds:
        found.begin(best_of)
        found.drafts += drafts
        found.running = 0
    return found


def test_a_place_waits_for_all_of_its_drafts() -> None:
    found = Place()
    found.begin(2)
    found.drafts.append(SOUND)
    found.running = 1
    assert not found.is_decided(2)
    found.running = 0
    assert found.is_decided(2)


def test_it_gets_the_draft_that_makes_most_sense_and_has_no_fault() -> None:
    better = Draft("I like my dog", (1.0, 1.0))
    assert ended(3, [SOUND, better, FAULTY]).best() == better


def test_if_all_have_faults_it_gets_another_round_and_then_the_best_of_them() -> None:
    worse = Draft("I like an", (5.0,))
    once = ended(2, [worse, worse])
    assert not once.is_decided(2) and once.may_try(unfinished=3)
    twice = ended(2, [worse, worse], [FAULTY, worse])
    assert twice.is_decided(2) and twice.best() == FAULTY


def test_a_single_draft_is_taken_whatever_its_faults() -> None:
    found = ended(1, [FAULTY])
    assert found.is_decided(1) and found.best() == FAULTY


def drafts_of(config: SamplingConfig, checkpoint: Checkpoint = WORDS) -> tuple[list[str], list[str]]:
    """Return the posts, and all drafts that could have been shown."""
    drafts: list[str] = []

    def accept(draft: str) -> bool:
        drafts.append(draft)
        return True

    return Sampler(checkpoint).generate(config, accept=accept).posts, drafts


def test_drafts_with_faults_are_not_shown_while_others_can_be_had() -> None:
    posts, drafts = drafts_of(SamplingConfig(count=20, best_of=5, seed=1, temperature=1))
    assert len(posts) == 20 and set(posts) < set(drafts)
    assert any(map(fault_of, drafts)) and not any(map(fault_of, posts))
    alone, all_of_them = drafts_of(SamplingConfig(count=20, best_of=1, seed=1, temperature=1))
    assert sorted(alone) == sorted(all_of_them) and any(map(fault_of, alone))


def test_a_bot_whose_drafts_all_have_faults_writes_nevertheless() -> None:
    posts, drafts = drafts_of(SamplingConfig(count=4, best_of=2, seed=1, temperature=1), favouring(a=1, END=0))
    assert len(posts) == 4 and all(map(fault_of, drafts)) and len(drafts) > 8


def test_the_same_seed_gives_the_same_posts() -> None:
    config = SamplingConfig(count=10, best_of=3, seed=5, temperature=0.7)
    first = Sampler(WORDS).generate(config)
    assert Sampler(WORDS).generate(config) == first and len(first.posts) == 10
    assert Sampler(WORDS).generate(SamplingConfig(count=10, best_of=3, seed=6, temperature=0.7)) != first


def test_each_place_is_told_once() -> None:
    told: list[tuple[int, str]] = []
    writing = Sampler(WORDS).generate(
        SamplingConfig(count=10, best_of=3, seed=2), on_post=lambda number, post: told.append((number, post))
    )
    assert [post for _, post in sorted(told)] == writing.posts
    assert sorted(number for number, _ in told) == list(range(10)) != [number for number, _ in told]


def test_many_drafts_are_drawn_in_several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    choose = choosing.choose

    def counted(logits: NDArray[np.float32], *values: object, **more: object) -> NDArray[np.intp]:
        rows.append(len(logits))
        return choose(logits, *values, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "choose", counted)
    config = SamplingConfig(count=60, best_of=5, seed=1, temperature=1)
    assert len(Sampler(WORDS).generate(config).posts) == 60 and max(rows) == 100
    assert config.drafts_to_write == 300


def test_where_all_posts_would_be_the_same_there_is_nothing_to_choose() -> None:
    writing = Sampler(favouring(a=1, END=0)).generate(SamplingConfig(temperature=0, best_of=3, max_characters=4))
    assert len(writing.posts) == 1


def test_surprisals_are_those_of_the_evaluation(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts: list[Draft] = []

    def noted(draft: Draft) -> float:
        drafts.append(draft)
        return 0.0

    monkeypatch.setattr(place, "judged", noted)
    config = SamplingConfig(count=8, best_of=2, seed=2, temperature=1.2, max_characters=60, mask_mentions=False)
    posts = Sampler(checkpoint).generate(config).posts
    assert posts and drafts
    for draft in drafts:
        bits = sum(draft.surprisals) / math.log(2) / (len(draft.post) + 1)
        assert bits == pytest.approx(evaluate(checkpoint, [draft.post]).bits_per_character, rel=1e-3)


def test_what_the_judge_goes_by() -> None:
    found = features(Draft("So so GOOD! #cats", (2.0, 5.0, 1.0, 4.0)))
    expected = [12, 2, 5, 11 / 3, 12 / 18, 3 / 4, 5 / 17, 1 / 17, 1, math.log(17)]
    assert found.tolist() == pytest.approx(expected)


def test_a_draft_in_another_language_is_shown_only_if_all_are() -> None:
    own, foreign = Draft("I like my cat", (1.0, 2.0)), Draft("ich mag meine Katze", (0.1, 0.1))
    found = Place(is_foreign=lambda post: "Katze" in post, drafts=[foreign], rounds=1)
    assert not found.is_decided(3) and found.best() == foreign
    found.drafts.append(own)
    assert found.is_decided(3) and found.best() == own
