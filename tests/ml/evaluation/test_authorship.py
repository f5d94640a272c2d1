from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_app.ml.evaluation.authorship import VoiceClassifier, normalised
from tests.fakes.posts import make_posts

POSTS = make_posts(400, seed=3)


def shouting(posts: list[str]) -> list[str]:
    return [f"{post.upper()}!!" for post in posts]


def test_a_voice_is_known_again_in_posts_that_were_not_learned() -> None:
    voice = VoiceClassifier.of(shouting(POSTS[:150]), POSTS[150:300])
    assert voice.recognised(shouting(POSTS[300:])).mean() > 0.95
    assert voice.recognised(POSTS[300:]).mean() < 0.05


def test_two_sides_of_the_same_voice_are_told_apart_no_better_than_by_chance() -> None:
    shares = []
    for seed in range(5):
        posts = make_posts(1200, seed=seed)
        voice = VoiceClassifier.of(posts[:400], posts[400:800])
        shares.append(voice.recognised(posts[800:]).mean())
    assert 0.35 < np.mean(shares) < 0.65


def test_links_names_and_marks_of_reposts_are_no_voice() -> None:
    voice = VoiceClassifier.of([f"RT @me: {post} https://t.co/mine" for post in POSTS[:150]], POSTS[:150])
    np.testing.assert_array_equal(voice.recognised(POSTS), np.zeros(400, bool))
    assert not np.any(voice.weights)


@pytest.mark.parametrize(
    ("post", "expected"),
    [
        ("RT @bob: so  it\nis https://t.co/x", "so it is"),
        ("RT so", "so"),
        ("@… hello", "hello"),
        ("@a https://t.co/x", ""),
        ("x" * 300, "x" * 280),
    ],
)
def test_a_post_is_read_without_what_is_no_voice(post: str, expected: str) -> None:
    assert normalised(post) == expected


@pytest.mark.parametrize("post", ["", " ", "@bob https://t.co/x"])
def test_a_post_of_links_and_names_alone_is_nobodys(post: str) -> None:
    voice = VoiceClassifier.of(["aaa"], ["bbb"])
    assert not voice.is_persons(post)
    assert voice.is_persons("aaa") and not voice.is_persons("bbb")


def test_the_sides_weigh_the_same_whatever_their_number() -> None:
    few = VoiceClassifier.of(shouting(POSTS[:50]), POSTS[50:100])
    many = VoiceClassifier.of(shouting(POSTS[:50]) * 10, POSTS[50:100])
    held_out = [*POSTS[200:], *shouting(POSTS[200:])]
    assert (few.recognised(held_out) == many.recognised(held_out)).mean() > 0.97


@given(posts=st.lists(st.text(max_size=12), max_size=6))
def test_a_post_is_judged_alike_alone_and_among_others(posts: list[str]) -> None:
    voice = VoiceClassifier.of(["hello 🎉 you", "so é it is"], ["bye now", "never"])
    assert voice.recognised(posts).tolist() == [voice.is_persons(post) for post in posts]


def test_the_evidence_is_as_by_hand() -> None:
    # "a" has six runs with its ends: ^ a $ ^a a$ ^a$. Two of them "b" has too; each side has four of its own, which
    # weigh log((1 + 0.1) / 7) - log(0.1 / 7), ten different ones having been seen.
    voice = VoiceClassifier.of(["a"], ["b"])
    found = np.sort(voice.weights[voice.weights != 0])
    np.testing.assert_allclose(found, np.log(11) * np.array([-1] * 4 + [1] * 4))
    # Each run counts once per post. Three speak for "aba" and one against it; for "ab" it is two to two, not enough.
    assert voice.is_persons("aba") and not voice.is_persons("bab") and not voice.is_persons("ab")
    assert voice.is_persons("abababa")
