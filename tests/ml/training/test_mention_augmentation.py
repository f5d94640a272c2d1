from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_app.ml.training.mention_augmentation import Renaming
from models_app.ml.words import HASHTAG, MENTION

#: Ninety posts to one friend, and ten to ten others.
POSTS = [f"@friend hello number {number} #monday" for number in range(90)] + [
    f"RT @other{number}: look, {number} of us #day{number}" for number in range(10)
]


def test_all_of_them_are_drawn_anew_where_all_are_asked_for_and_the_rest_of_a_post_stays() -> None:
    renamed = Renaming(POSTS, names=1, tags=1).renamed(POSTS, "seed")

    def rest(posts: list[str]) -> list[str]:
        return [HASHTAG.sub("#", MENTION.sub("@", post)) for post in posts]

    assert rest(renamed) == rest(POSTS) != []


def test_each_different_name_is_as_likely_as_any_other_however_often_it_comes() -> None:
    renaming = Renaming(POSTS, names=1, tags=1)
    renamed = [post for seed in range(50) for post in renaming.renamed(POSTS, str(seed))]
    for pattern in (MENTION, HASHTAG):
        counts = Counter(text for post in renamed for text in pattern.findall(post))
        assert len(counts) == 11
        # 5,000 draws of 11: 455 each, give or take 20.
        assert all(355 < count < 555 for count in counts.values())


@pytest.mark.parametrize(("names", "tags"), [(0.7, 0.0), (0.0, 0.4), (0.7, 0.4)])
def test_a_share_of_each_kind_is_drawn_anew(names: float, tags: float) -> None:
    posts = [f"@one{number} #tag{number}" for number in range(4000)]
    renamed = Renaming(posts, names=names, tags=tags).renamed(posts, "seed")
    changed = [
        sum(pattern.findall(before) != pattern.findall(after) for before, after in zip(posts, renamed, strict=True))
        for pattern in (MENTION, HASHTAG)
    ]
    assert changed[0] / 4000 == pytest.approx(names, abs=0.04)
    assert changed[1] / 4000 == pytest.approx(tags, abs=0.04)


def test_the_same_seed_gives_the_same_text_and_another_seed_another() -> None:
    renaming = Renaming(POSTS, names=0.5, tags=0.5)
    assert renaming.renamed(POSTS, "1") == Renaming(POSTS, names=0.5, tags=0.5).renamed(POSTS, "1")
    assert renaming.renamed(POSTS, "1") != renaming.renamed(POSTS, "2")


@given(st.lists(st.text(max_size=40), max_size=20))
def test_without_shares_nothing_changes(posts: list[str]) -> None:
    assert Renaming(posts, names=0, tags=0).renamed(posts, "seed") == posts


def test_a_corpus_without_names_is_left_as_it_is() -> None:
    posts = ["nobody is named here", "mail me at a@example.org, #1 fan"]
    assert Renaming(posts, names=1, tags=1).renamed(posts, "seed") == posts


def test_of_very_many_names_a_fair_sample_is_kept_whatever_order_they_come_in() -> None:
    posts = [f"@name{number}" for number in range(5000)]
    one = Renaming(posts, names=1, tags=0, most=100).renamed(posts, "seed")
    other = Renaming(posts[::-1], names=1, tags=0, most=100).renamed(posts, "seed")
    assert one == other
    kept = sorted(int(name.removeprefix("@name")) for name in set(one))
    assert len(kept) == 100
    # Evenly from all of them: the middle one of a hundred lies near the middle.
    assert 1500 < kept[50] < 3500
