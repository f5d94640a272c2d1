from __future__ import annotations

import hashlib

import pytest

from models_app.ml.evaluation.authorship import VoiceClassifier
from models_app.ml.evaluation.told_apart import MAX_POSTS, MIN_POSTS, ToldApart, told_apart
from tests.fakes.posts import make_posts

POSTS = make_posts(400, seed=3)


def found(real: list[str], written: list[str], seed: int = 1) -> ToldApart:
    result = told_apart(real, written, seed=seed)
    assert result is not None
    return result


def test_what_looks_different_is_told_apart_and_what_looks_the_same_is_not() -> None:
    different = found(POSTS[:200], [post.upper() for post in POSTS[200:]])
    assert different.share > 0.95 and different.error < 0.02
    same = found(POSTS[:200], POSTS[200:])
    # Within three standard errors of guessing
    assert abs(same.share - 0.5) < 3 * same.error
    assert same.error == pytest.approx(0.5 / 400**0.5, rel=0.1)


def test_both_kinds_count_the_same_whatever_their_number() -> None:
    lopsided = found(POSTS[:300], [post.upper() for post in POSTS[300:340]])
    assert lopsided.posts == 40 and lopsided.share > 0.9
    assert found(["a b c"] * (MAX_POSTS + 5), ["x y z"] * (MAX_POSTS + 9)) == ToldApart(1.0, 0.0, MAX_POSTS)


def test_no_post_is_measured_by_a_classifier_that_has_learned_it() -> None:
    # Each post has a word of its own, so knowing the post would give it away.
    posts = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(200)]
    real, written = posts[:100], posts[100:]
    known = VoiceClassifier.of(real, written)
    assert known.recognised(real).all() and not known.recognised(written).any()
    assert found(real, written).share < 0.65


def test_links_and_names_give_nothing_away() -> None:
    linked = [f"{post} https://t.co/{number} @someone" for number, post in enumerate(POSTS)]
    assert found(linked, POSTS).share < 0.6
    nothing = found(["@a https://t.co/x"] * 30, ["https://t.co/y"] * 30)
    assert nothing == ToldApart(0.5, 0.0, 30)


def test_the_same_seed_gives_the_same_figure() -> None:
    real, written = POSTS[:60], make_posts(60, seed=4)
    assert found(real, written) == found(real, written)
    assert len({found(real, written, seed).share for seed in range(4)}) > 1


def test_of_too_few_posts_nothing_is_said() -> None:
    assert told_apart(POSTS, POSTS[: MIN_POSTS - 1], seed=1) is None
    assert told_apart([], POSTS, seed=1) is None
    assert told_apart(POSTS, POSTS[:MIN_POSTS], seed=1) is not None
