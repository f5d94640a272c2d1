"""What the sampler draws again or leaves out: copies, banned words and names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import BadSampling
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.judge import Judge
from models_app.ml.sampling.sampler import Sampler
from tests.ml.conftest import favouring


def test_rejected_posts_are_drawn_again() -> None:
    sampler = Sampler(favouring(a=0, b=0, END=1))
    writing = sampler.generate(SamplingConfig(count=40, temperature=1, seed=2), accept=lambda post: "b" not in post)
    assert len(writing.posts) == 40
    assert not [post for post in writing.posts if "b" in post]
    assert writing.refused.copies and writing.refused.total == writing.refused.copies


def test_posts_that_are_always_rejected_are_left_out_after_ten_tries_each() -> None:
    asked: list[str] = []

    def never(post: str) -> bool:
        asked.append(post)
        return False

    writing = Sampler(favouring(a=0, END=0)).generate(SamplingConfig(count=3, seed=2), accept=never)
    assert writing.posts == []
    assert len(asked) == writing.refused.copies == 30


def test_a_copy_is_drawn_again() -> None:
    sampler = Sampler(favouring(a=0, b=0, END=0))
    config = SamplingConfig(count=40, temperature=1, seed=2)
    guard = CopyGuard.of(["a", "b", "Ab!"])
    free = sampler.generate(config)
    writing = sampler.generate(config, guard=guard)
    assert {"a", "b"} <= set(free.posts) and free.refused.copies is None
    assert len(writing.posts) == 40 and not {"a", "b", "ab"} & set(writing.posts)
    assert writing.refused.copies and writing.refused.total == writing.refused.copies
    assert writing == sampler.generate(config, guard=guard)


def test_a_post_that_is_always_a_copy_is_left_out_after_ten_tries_unless_copies_are_allowed() -> None:
    sampler = Sampler(favouring(a=0, END=20))
    guard = CopyGuard.of(["A.", "aa"])
    writing = sampler.generate(SamplingConfig(count=3, seed=2), guard=guard)
    assert writing.posts == [] and writing.refused.copies == 30
    allowed = sampler.generate(SamplingConfig(count=3, seed=2, copy_guard=False), guard=guard)
    assert allowed.posts == ["a"] * 3 and allowed.refused.copies is None


def test_a_greedy_copy_is_refused_once_for_there_is_no_other() -> None:
    writing = Sampler(favouring(a=0, END=20)).generate(
        SamplingConfig(count=3, temperature=0), guard=CopyGuard.of(["a"])
    )
    assert writing.posts == [] and writing.refused.copies == 1


def test_no_post_holds_a_banned_word() -> None:
    sampler = Sampler(favouring(**{"a": 0, "b": 0, " ": 0, "END": 0}))
    writing = sampler.generate(SamplingConfig(count=40, temperature=1, seed=2, banned=("B", "a a")))
    assert len(writing.posts) == 40 and writing.refused.banned > 0
    for post in writing.posts:
        assert "b" not in post.split() and " a a " not in f" {' '.join(post.split())} "
    assert any("ab" in post for post in writing.posts)  # a part of a word isn't a word


def test_a_post_that_always_holds_a_banned_word_is_left_out_after_ten_tries() -> None:
    writing = Sampler(favouring(a=0, END=20)).generate(SamplingConfig(count=2, seed=2, banned=("a",)))
    assert writing.posts == [] and writing.refused.banned == 20


def test_a_banned_word_in_the_prompt_is_told_at_once(checkpoint: Checkpoint) -> None:
    with pytest.raises(BadSampling, match="“red fox”, which is banned"):
        Sampler(checkpoint).generate(SamplingConfig(prompt="The RED fox ", banned=("cat", "red fox")))


def test_nobody_is_named_unless_it_is_wanted() -> None:
    config = SamplingConfig(count=30, seed=1, temperature=1, max_characters=12)
    sampler = Sampler(favouring(**{"@": 0, "b": 0, " ": 0, "END": 0}))
    assert any("@b" in post for post in sampler.generate(replace(config, mask_mentions=False)).posts)
    writing = sampler.generate(config)
    assert len(writing.posts) == 30 and not any("@" in post for post in writing.posts)
    assert writing.refused.mentions == 0


def test_a_name_that_the_prompt_begins_is_refused() -> None:
    config = SamplingConfig(count=2, seed=1, prompt="hi @Al and @")
    sampler = Sampler(favouring(b=0, END=0))
    writing = sampler.generate(config)
    assert writing.posts == [] and writing.refused.mentions == 20
    assert "hi @Al and @b" in sampler.generate(replace(config, count=20, mask_mentions=False)).posts
    spaced = Sampler(favouring(**{" ": 0, "b": 0, "END": 0})).generate(replace(config, prompt="hi @Al"))
    assert len(spaced.posts) == 2


def test_a_draft_that_needs_a_name_is_given_up_at_once() -> None:
    # Behind each character, the network wants an @, as others do behind RT.
    needy = favouring(**{"@": 9, "b": 1, " ": 0, "END": 2})
    steps: list[None] = []
    config = SamplingConfig(count=3, seed=1, temperature=1)
    writing = Sampler(needy).generate(config, proceed=lambda: steps.append(None))
    assert writing.posts == [] and writing.refused.mentions == writing.refused.total == 30
    # At the beginning of a post, another one takes its place.
    assert len(steps) == 20
    assert Sampler(needy).generate(SamplingConfig(temperature=0)).posts, "there is only one likeliest post"


def test_a_copy_that_names_somebody_is_a_copy_all_the_same() -> None:
    guard = CopyGuard.of(["one two three four @somebody"])
    writing = Sampler(favouring(b=0, END=0)).generate(
        SamplingConfig(count=2, seed=1, prompt="One, two, three, four! @"), guard=guard
    )
    assert writing.posts == [] and writing.refused.copies == 20


FILLER = "these ten words are not of anybody and mean nothing"


@pytest.mark.parametrize(
    ("prompt", "added", "reason"),
    [
        (f"{FILLER} ", "my old kettle sings before the water boils", "copies"),
        # The prompt ends in the middle of a word, or of the learned post.
        (f"{FILLER} m", "y old kettle sings before the water boils", "copies"),
        (f"{FILLER} my o", "ld kettle sings before the water boils", "copies"),
        (f"{FILLER} ", "my old kettle sings before anyone else gets up", None),
        # Five words and fewer are often a common phrase.
        (f"{FILLER} my old kettle ", "sings before the water boils", None),
        (f"{FILLER}, and ", "that is all there is", None),
        ("", "that is all there is", "copies"),
    ],
)
def test_a_copy_behind_a_long_prompt_is_a_copy(prompt: str, added: str, reason: str | None) -> None:
    guard = CopyGuard.of(["My old kettle sings before the water boils!", "That is all there is."])
    config = SamplingConfig(prompt=prompt)
    judge = Judge.of(config, guard=guard, house=None, personal=None, accept=None)
    assert judge.refused(prompt + added) == reason
    others = Judge.of(config, guard=None, house=None, personal=None, accept=lambda text: not guard.is_copy(text))
    assert others.refused(prompt + added) == reason
