from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models_app.ml.evaluation.taste import MIN_DECISIONS, Decision, Lean, Post, Taste, learned

TEXT = """the soup moon ladder train violin kettle biscuit sings quietly late again today never my a lamp oak river
stone cup door glass paper wind snow bread salt rope coin mill goat harp fern"""
WORDS = TEXT.split()


def posts(count: int, seed: int, **measured: float) -> list[Post]:
    """Return made-up posts: half of them ask, a third are long."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        size = 24 if number % 3 == 0 else int(rng.integers(6, 12))
        text = " ".join(rng.choice(WORDS, size).tolist()) + ("?" if rng.random() < 0.5 else ".")
        found.append(Post(text, {"sense": float(rng.normal()), **measured}))
    return found


def decided(likes: Callable[[Post], bool], count: int, seed: int = 1) -> list[Decision]:
    """Return the decisions of somebody with this taste, of which one in ten is a slip."""
    rng = np.random.default_rng(seed)
    return [Decision(post, float(likes(post) ^ bool(rng.random() < 0.1))) for post in posts(count, seed)]


def share_liked(taste: Taste | None, likes: Callable[[Post], bool]) -> float:
    """Return what share of the best sixth of new posts the person likes."""
    new = posts(300, seed=99)
    assert taste is not None
    return float(np.mean([likes(new[place]) for place in np.argsort(-taste.score(new))[:50]]))


@pytest.mark.parametrize(
    ("likes", "lean"),
    [
        (lambda post: "?" not in post.text, Lean("question", "much")),
        (lambda post: len(post.text) < 80, Lean("long", "much")),
        (lambda post: "soup" not in post.text, Lean("word", "much", "soup")),
        (lambda post: "moon" in post.text, Lean("word", "little", "moon")),
    ],
)
def test_it_learns_what_somebody_rejects_and_says_it(likes: Callable[[Post], bool], lean: Lean) -> None:
    taste = learned(decided(likes, 60))
    assert share_liked(taste, likes) >= 0.9
    assert taste is not None and taste.leans[0] == lean


def test_two_things_are_learned_at_once() -> None:
    def likes(post: Post) -> bool:
        return "?" not in post.text and len(post.text) < 80

    taste = learned(decided(likes, 100))
    assert share_liked(taste, likes) >= 0.85
    assert taste is not None and {lean.name for lean in taste.leans} == {"question", "long"}


def test_few_decisions_or_one_kind_teach_nothing() -> None:
    clear = [Decision(post, float("?" not in post.text)) for post in posts(40, seed=3)]
    assert learned(clear[: MIN_DECISIONS - 1]) is None and learned(clear) is not None
    assert learned([]) is None
    assert learned([decision for decision in clear if decision.liked]) is None


def test_without_a_taste_it_is_seldom_used_and_what_is_in_order_already_stays_so() -> None:
    """Decisions by chance, and by the sense that the plain order goes by anyway."""
    rng = np.random.default_rng(5)
    by_chance = [learned([Decision(post, float(rng.random() < 0.5)) for post in posts(40, seed)]) for seed in range(20)]
    by_sense = [learned([Decision(p, float(p.measured["sense"] > 0)) for p in posts(40, seed)]) for seed in range(20)]
    assert sum(taste is not None for taste in by_chance) <= 8
    assert not any(by_sense)


def test_what_was_not_measured_counts_as_usual() -> None:
    def likes(post: Post) -> bool:
        return "?" not in post.text

    taste = learned(decided(likes, 40))
    assert taste is not None
    unmeasured = [Post(post.text, {}) for post in posts(20, seed=7)]
    assert np.isfinite(taste.score(unmeasured)).all()
    assert share_liked(learned([Decision(Post(d.post.text, {}), d.liked) for d in decided(likes, 40)]), likes) >= 0.9


def test_only_the_newest_decisions_count() -> None:
    old = [Decision(post, float("?" in post.text)) for post in posts(250, seed=1)]
    new = [Decision(post, float("?" not in post.text)) for post in posts(250, seed=2)]
    taste = learned([*old, *new])
    assert taste is not None and taste.leans[0] == Lean("question", "much")
