from __future__ import annotations

import gzip
import json
import lzma
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models_app.ml.errors import LearningError, TooFewPosts
from models_app.ml.training.dataset import Batch, StreamPacker, epoch_batches, split, stream_posts
from models_app.ml.training.mention_augmentation import Renaming
from models_app.ml.vocabulary import UTF8_BYTES
from models_app.ml.vocabulary.utf8_bytes import END

POSTS = st.lists(st.text(max_size=40), min_size=1, max_size=30)


def trained_posts(batches: list[Batch]) -> list[bytes]:
    """Join the windows of each row again and cut them at the end marks."""
    posts = []
    for row in range(batches[0].targets.shape[0]):
        symbols = b"".join(bytes(batch.targets[row][batch.weights[row] == 1]) for batch in batches)
        assert symbols.endswith(bytes([END])) or not symbols
        posts += symbols.split(bytes([END]))[:-1]
    return posts


def epoch(posts: list[str], rows: int, length: int, seed: int = 0, number: int = 1) -> list[Batch]:
    encoded: list[NDArray[np.uint8]] = [UTF8_BYTES.encode(post) for post in posts]
    count, batches = epoch_batches(
        encoded, vocabulary=UTF8_BYTES, batch_size=rows, sequence_length=length, seed=seed, epoch=number
    )
    found = list(batches)
    assert len(found) == count
    return found


@given(POSTS, st.integers(1, 8), st.integers(1, 20), st.integers(0, 5))
def test_each_character_and_each_end_mark_is_a_target_exactly_once_an_epoch(
    posts: list[str], rows: int, length: int, seed: int
) -> None:
    batches = epoch(posts, rows, length, seed)
    assert Counter(trained_posts(batches)) == Counter(post.encode() for post in posts)
    weights = sum(float(batch.weights.sum()) for batch in batches)
    assert weights == sum(len(post.encode()) + 1 for post in posts)


@given(POSTS, st.integers(1, 8), st.integers(1, 20))
def test_each_input_is_the_symbol_before_its_target(posts: list[str], rows: int, length: int) -> None:
    batches = epoch(posts, rows, length)
    inputs = np.concatenate([batch.inputs for batch in batches], axis=1)
    targets = np.concatenate([batch.targets for batch in batches], axis=1)
    assert (inputs[:, 0] == END).all()
    np.testing.assert_array_equal(inputs[:, 1:], targets[:, :-1])


def test_rows_are_balanced_so_that_little_is_padding() -> None:
    posts = ["x" * (index % 140 + 1) for index in range(2000)]
    batches = epoch(posts, 16, 64)
    share = sum(float(batch.weights.mean()) for batch in batches) / len(batches)
    assert share > 0.98


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    posts = [f"post {number}" for number in range(50)]
    first = np.concatenate([batch.targets for batch in epoch(posts, 4, 8, seed=1, number=1)], axis=1)
    again = np.concatenate([batch.targets for batch in epoch(posts, 4, 8, seed=1, number=1)], axis=1)
    other = np.concatenate([batch.targets for batch in epoch(posts, 4, 8, seed=1, number=2)], axis=1)
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()


def test_a_split_is_seeded_and_loses_nothing() -> None:
    posts = [str(number) for number in range(100)]
    train, validation = split(posts, seed=5)
    assert (len(train), len(validation)) == (90, 10)
    assert sorted(train + validation) == sorted(posts)
    assert split(posts, seed=5) == (train, validation)
    assert split(posts, seed=6) != (train, validation)


def test_a_split_has_a_post_on_each_side() -> None:
    assert [len(part) for part in split(["a", "b"], seed=0)] == [1, 1]
    assert [len(part) for part in split(["a", "b"], validation_share=0.99, seed=0)] == [1, 1]
    with pytest.raises(TooFewPosts, match="there are 1"):
        split(["a"], seed=0)


def test_posts_are_streamed_from_each_kind_of_file(tmp_path: Path) -> None:
    text = "first\r\n\n   \nsec\u2028ond\x0c é\n👋 last"
    (tmp_path / "a.txt").write_bytes(text.encode())
    (tmp_path / "b.txt.xz").write_bytes(lzma.compress(text.encode()))
    (tmp_path / "c.gz").write_bytes(gzip.compress(text.encode()))
    paths = [tmp_path / name for name in ("a.txt", "b.txt.xz", "c.gz")]
    assert list(stream_posts(paths)) == ["first", "sec\u2028ond\x0c é", "👋 last"] * 3


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("one\ncafé".encode("latin-1"))
    (tmp_path / "broken.txt.xz").write_bytes(lzma.compress(b"one\ntwo\n" * 1000)[:-30])
    (tmp_path / "not.gz").write_bytes(b"plain")
    for name, words in [
        ("latin.txt", "not UTF-8"),
        ("broken.txt.xz", "can’t be read"),
        ("not.gz", "can’t be read"),
        ("missing.txt", "does not exist"),
    ]:
        with pytest.raises(LearningError, match=words) as caught:
            list(stream_posts([tmp_path / name]))
        assert name in str(caught.value)


@pytest.fixture
def corpus(tmp_path: Path) -> list[Path]:
    paths = []
    for shard in range(3):
        path = tmp_path / f"train-{shard}.txt"
        path.write_text("".join(f"shard {shard} post {number} {'é' * (number % 7)}\n" for number in range(40)))
        paths.append(path)
    return paths


def packer(
    paths: list[Path], position: dict[str, object] | None = None, seed: int = 3, renaming: Renaming | None = None
) -> StreamPacker:
    return StreamPacker(
        paths,
        vocabulary=UTF8_BYTES,
        batch_size=4,
        sequence_length=16,
        seed=seed,
        shuffle_posts=25,
        renaming=renaming,
        position=position,
    )


def test_the_stream_trains_each_post_once_a_pass(corpus: list[Path]) -> None:
    source = packer(corpus)
    batches = [next(source) for _ in range(200)]
    seen = Counter(
        post
        for row in range(4)
        for post in b"".join(bytes(batch.targets[row]) for batch in batches).split(bytes([END]))[:-1]
    )
    everything = [post.encode() for post in stream_posts(corpus)]
    assert set(seen) == set(everything)
    assert max(seen.values()) - min(seen.values()) <= 1
    assert all((batch.weights == 1).all() for batch in batches)


def test_the_stream_shifts_inputs_across_windows(corpus: list[Path]) -> None:
    source = packer(corpus)
    batches = [next(source) for _ in range(30)]
    inputs = np.concatenate([batch.inputs for batch in batches], axis=1)
    targets = np.concatenate([batch.targets for batch in batches], axis=1)
    assert (inputs[:, 0] == END).all()
    np.testing.assert_array_equal(inputs[:, 1:], targets[:, :-1])


@pytest.mark.parametrize("before", [0, 1, 7, 60, 150])
def test_the_stream_goes_on_exactly_where_it_was_left(corpus: list[Path], before: int) -> None:
    source = packer(corpus)
    for _ in range(before):
        next(source)
    again = packer(corpus, json.loads(json.dumps(source.position())))
    for _ in range(80):
        ours, theirs = next(source), next(again)
        np.testing.assert_array_equal(ours.inputs, theirs.inputs)
        np.testing.assert_array_equal(ours.targets, theirs.targets)


@pytest.mark.parametrize("before", [7, 60])
def test_a_renamed_stream_goes_on_with_the_same_names(tmp_path: Path, before: int) -> None:
    path = tmp_path / "train.txt"
    path.write_text("\n".join(f"@name{number} hello there #tag{number % 7}" for number in range(90)))
    renaming = Renaming(stream_posts([path]), names=0.7, tags=0.4)
    source, plain = packer([path], renaming=renaming), packer([path])
    for _ in range(before):
        next(source)
        next(plain)
    again = packer([path], json.loads(json.dumps(source.position())), renaming=renaming)
    windows = [(next(source), next(again), next(plain)) for _ in range(60)]
    for ours, theirs, _ in windows:
        np.testing.assert_array_equal(ours.targets, theirs.targets)
    assert any((ours.targets != other.targets).any() for ours, _, other in windows)


def test_the_stream_is_shuffled_by_its_seed(corpus: list[Path]) -> None:
    assert (next(packer(corpus, seed=1)).targets != next(packer(corpus, seed=2)).targets).any()


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(TooFewPosts):
        next(packer([tmp_path / "empty.txt"]))


def test_a_position_of_another_batch_size_is_refused(corpus: list[Path]) -> None:
    position = packer(corpus).position()
    with pytest.raises(LearningError, match="has 4 rows"):
        StreamPacker(corpus, vocabulary=UTF8_BYTES, batch_size=5, sequence_length=16, seed=3, position=position)
