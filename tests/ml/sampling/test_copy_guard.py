from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors.numpy import save as save_tensors

from models_app.ml.errors import CheckpointError
from models_app.ml.sampling.copy_guard import CopyGuard, Nearest
from models_app.ml.state_file import StateError, _digest, load_state, save_state
from tests.ml.sampling.test_overlap import in_order_by_table, longest_run_by_trying


def numbered(first: int, last: int, mark: str = "w") -> str:
    """Return different words, one for each number from first to last."""
    return " ".join(f"{mark}{number}" for number in range(first, last + 1))


def is_copy(text: str, post: str) -> bool:
    return CopyGuard.of(["some other post altogether", post]).is_copy(text)


def test_more_than_fifteen_words_in_a_row_are_a_copy() -> None:
    post = numbered(1, 60)
    assert is_copy(f"{numbered(1, 30, 'x')} {numbered(20, 35)} {numbered(1, 30, 'y')}", post)
    assert not is_copy(f"{numbered(1, 30, 'x')} {numbered(20, 34)} {numbered(1, 30, 'y')}", post)
    # Fifteen here and fifteen there aren't in a row.
    assert not is_copy(f"{numbered(1, 15)} {numbered(1, 30, 'x')} {numbered(30, 44)}", post)


def test_more_than_seventy_percent_of_a_texts_words_in_a_row_are_a_copy() -> None:
    post = numbered(1, 60)
    assert is_copy(f"{numbered(11, 18)} else1 else2", post)
    assert not is_copy(f"{numbered(11, 17)} else1 else2 else3", post)


def test_more_than_seventy_percent_in_order_are_a_copy_of_a_post_of_about_that_length() -> None:
    text = f"{numbered(1, 4)} else1 {numbered(5, 8)} else2"
    assert is_copy(text, numbered(1, 15))
    assert not is_copy(text, numbered(1, 16))
    # The same words in another order are another post.
    assert not is_copy(f"{numbered(5, 8)} else1 {numbered(1, 4)} else2", numbered(1, 15))


@pytest.mark.parametrize("text", ["good morning everyone", "GOOD morning, everyone!", "morning"])
def test_below_four_words_only_a_whole_post_is_copied(text: str) -> None:
    assert is_copy(text, text.lower())
    assert not is_copy(text, f"{text} out there")
    assert not is_copy(text, f"so {text}")


@pytest.mark.parametrize(
    "text",
    [
        "THE RED FOX SAID HELLO",
        "the red fox said: “hello!” 🎉",
        "the red @bob fox https://example.com/x said hello",
        "  the\nred   fox said hello  ",
        "the réd fox said hello".replace("é", "e"),
        "ｔｈｅ red fox said hello",
    ],
)
def test_case_signs_links_and_names_make_no_new_post(text: str) -> None:
    assert is_copy(text, "The red fox said hello @ann http://t.co/1")


def test_posts_without_words_are_compared_by_their_signs() -> None:
    guard = CopyGuard.of(["🎉 🎉 @bob https://t.co/x", "a few words", "!!"])
    assert guard.is_copy("🎉🎉") and guard.is_copy("! !")
    assert not guard.is_copy("🎉") and not guard.is_copy("🎉🎉🎉")
    assert guard.nearest("!!") == Nearest(2, 1.0, 0, True)
    assert guard.nearest("?") is None


@pytest.mark.parametrize("text", ["", "  ", "@bob https://t.co/x"])
def test_nothing_is_a_copy_of_nothing(text: str) -> None:
    assert not is_copy(text, "a post") and not CopyGuard.of([]).is_copy(text)
    assert CopyGuard.of([]).nearest("a few words here") is None


def test_the_nearest_post_is_told_with_what_it_shares() -> None:
    guard = CopyGuard.of(["one two", numbered(1, 20), "one two three four", f"x1 {numbered(1, 20)}"])
    assert guard.nearest("one two nine ten eleven") == Nearest(0, 0.4, 2, False)
    assert guard.nearest("zero One two THREE four") == Nearest(2, 0.8, 4, True)
    assert guard.nearest(numbered(1, 20)) == Nearest(1, 1.0, 20, True)
    assert guard.nearest("nothing of it") is None


words = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=24)


@given(posts=st.lists(words, min_size=1, max_size=6), text=words.filter(bool))
@example(posts=[["a"] * 17, ["a", "b"] * 9], text=["a"] * 16 + ["c"] * 8)
@example(posts=[["c"] * 4 + list("abcd") * 4, list("abcd") * 5], text=["d", "d", *(list("abcd") * 4), *["b"] * 6])
def test_the_guard_finds_what_a_comparison_with_each_post_finds(posts: list[list[str]], text: list[str]) -> None:
    def compared(post: int) -> Nearest:
        count, length = len(text), len(posts[post])
        run, common = longest_run_by_trying(posts[post], text), in_order_by_table(posts[post], text)
        if count < 4:
            copied = posts[post] == text
        else:
            copied = run > 15 or run > 0.7 * count or (common > 0.7 * count and length <= 1.5 * count)
        return Nearest(post, common / max(1, count), run, copied)

    guard = CopyGuard.of(" ".join(post) for post in posts)
    found = [compared(post) for post in range(len(posts))]
    copies = [nearest for nearest in found if nearest.is_copy]
    assert guard.is_copy(" ".join(text)) == bool(copies)
    closest = max(
        copies or [nearest for nearest in found if nearest.share],
        key=lambda nearest: (nearest.share, nearest.run, -nearest.post),
        default=None,
    )
    assert guard.nearest(" ".join(text)) == closest


def test_what_the_parent_learned_from_is_known_beside_the_own_posts() -> None:
    parent = CopyGuard.of(["the parent said one thing", "both have learned this post", "🎉"])
    guard = CopyGuard.of(["the child said another thing", "Both have learned this post!", "🎉", "🎈"], beside=parent)
    assert len(guard) == 5
    for text in ("the parent said one thing", "the child said another thing", "both have learned this post", "🎈"):
        assert guard.is_copy(text)
    # The bot's own posts come first, so an index below their number is one of them.
    assert guard.nearest("both have learned this post") == Nearest(1, 1.0, 5, True)
    assert guard.nearest("the parent said one thing") == Nearest(4, 1.0, 5, True)
    assert not guard.is_copy("nobody has learned of it")
    assert CopyGuard.of(["a grandchild is taught here"], beside=guard).is_copy("the parent said one thing")


def test_a_saved_guard_finds_the_same_and_holds_no_text(tmp_path: Path) -> None:
    posts = ["the extraordinary fox said hello", numbered(1, 40), "🎉🎉"]
    guard = CopyGuard.of(posts)
    guard.save(tmp_path / "posts")
    data = (tmp_path / "posts").read_bytes()
    for word in ["extraordinary", "fox", "hello", "w17", "🎉"]:
        assert word.encode() not in data and word.encode("utf-16-le") not in data
    loaded = CopyGuard.load(tmp_path / "posts")
    for text in [*posts, numbered(10, 25), "the extraordinary fox", "something else again here"]:
        assert loaded.is_copy(text) == guard.is_copy(text)
        assert loaded.nearest(text) == guard.nearest(text)


OTHER = CopyGuard.of(["a b c", "🎈", "🎈"])


@pytest.mark.parametrize("beside", [None, CopyGuard.of([]), CopyGuard.of(["🎉"]), OTHER])
@pytest.mark.parametrize("posts", [[], [""], ["🎉", "🎉"], ["a"], ["", "a b", "", "a b"]])
def test_a_guard_of_whatever_posts_can_be_loaded(posts: list[str], beside: CopyGuard | None, tmp_path: Path) -> None:
    guard = CopyGuard.of(posts, beside=beside)
    guard.save(tmp_path / "posts")
    loaded = CopyGuard.load(tmp_path / "posts")
    assert len(loaded) == len(guard)
    for text in ("🎉", "🎈", "a", "a b", "a b c"):
        assert loaded.is_copy(text) == guard.is_copy(text)


MOST = np.iinfo(np.int64).max


@pytest.mark.parametrize(
    "arrays",
    [
        {"ends": np.array([5, 30_000_000])},
        {"ends": np.array([5, 4])},
        {"ends": np.array([5, 4, 6])},
        {"ends": np.array([-1, 6])},
        {"ends": np.array([], np.int64)},
        # The differences of these overflow to a post's possible lengths.
        {"ends": np.array([MOST, -MOST - 1, -1, 6])},
        {"ends": np.array([5, 6], np.int32)},
        {"ends": np.array([5.0, 6.0])},
        {"ends": np.array([[5, 6]])},
        {"ends": np.array(6)},
        {"text": np.array([0, 1, 2, 3, 4, 6], np.uint32)},
        {"text": np.array([0, 1, 2, 3, 4, -1], np.int32)},
        {"text": np.array([0, 1, 2, 3, 4], np.uint32)},
        {"vocabulary": np.arange(6, dtype=np.uint64)[::-1]},
        {"vocabulary": np.zeros(6, np.uint64)},
        {"vocabulary": np.arange(6)},
        {"wordless": np.zeros(1, np.uint64)},
        {"key": np.zeros(65, np.uint8)},
        {"key": np.zeros(16, np.int8)},
    ],
)
def test_arrays_that_do_not_belong_together_are_damage(arrays: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "posts"
    CopyGuard.of(["the red fox said hello", "good"]).save(path)
    own, facts = load_state(path)
    assert own["ends"].tolist() == [5, 6] and len(own["vocabulary"]) == 6
    save_state(path, own | arrays, facts)
    with pytest.raises(CheckpointError, match="Restore the model from a backup") as caught:
        CopyGuard.load(path)
    # So the doctor offers to rebuild it.
    assert isinstance(caught.value.__cause__, StateError)


@pytest.mark.parametrize("facts", ["[" * 9999, "[]", "{"])
def test_facts_that_are_no_object_are_damage(facts: str, tmp_path: Path) -> None:
    arrays = {"key": np.zeros(16, np.uint8)}
    (tmp_path / "posts").write_bytes(save_tensors(arrays, metadata={"facts": facts, "digest": _digest(arrays)}))
    with pytest.raises(CheckpointError, match="Restore the model from a backup"):
        CopyGuard.load(tmp_path / "posts")


@pytest.mark.parametrize("name", ["key", "vocabulary", "text", "ends", "wordless"])
def test_a_missing_array_is_damage(name: str, tmp_path: Path) -> None:
    path = tmp_path / "posts"
    CopyGuard.of(["the red fox said hello"]).save(path)
    arrays, facts = load_state(path)
    del arrays[name]
    save_state(path, arrays, facts)
    with pytest.raises(CheckpointError, match="Restore the model from a backup"):
        CopyGuard.load(path)


def test_fingerprints_of_two_bots_cannot_be_compared() -> None:
    one, other = CopyGuard.of(["the red fox"]), CopyGuard.of(["the red fox"])
    assert not np.intersect1d(one._vocabulary, other._vocabulary).size


def test_damage_is_noticed_and_told_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "posts"
    with pytest.raises(FileNotFoundError):
        CopyGuard.load(path)
    CopyGuard.of(["the red fox said hello"]).save(path)
    whole = path.read_bytes()
    for damaged in (whole[:-3], b"", b"no fingerprints", whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:]):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="Restore the model from a backup"):
            CopyGuard.load(path)
    save_state(path, {"key": np.zeros(16, np.uint8)}, {"format": 2})
    with pytest.raises(CheckpointError, match="Update Bot Factory"):
        CopyGuard.load(path)
