from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models_app.ml.networks.phrases import NONE, ORDER
from models_app.ml.training.adapters.packing import PackedBatch, packed_batches

END = 0
posts_of_symbols = st.lists(st.lists(st.integers(1, 50), max_size=40), min_size=1, max_size=30)


def arrays(posts: list[list[int]]) -> list[NDArray[Any]]:
    return [np.array(post, np.int32) for post in posts]


def pieces(batch: PackedBatch) -> list[tuple[list[int], list[int], list[int]]]:
    """Return the inputs, targets and positions of each post's piece."""
    found = []
    for row in range(len(batch.inputs)):
        for segment in sorted(set(batch.segments[row].tolist()) - {-1}):
            at = batch.segments[row] == segment
            found.append(tuple(part[row, at].tolist() for part in (batch.inputs, batch.targets, batch.positions)))
    return found


@given(posts_of_symbols, st.integers(1, 4), st.integers(4, 16))
def test_every_symbol_and_end_mark_is_a_target_exactly_once(posts: list[list[int]], rows: int, length: int) -> None:
    batches = packed_batches(arrays(posts), rows=rows, length=length, end=END, rng=np.random.default_rng(0))
    learned = sorted(target for batch in batches for target in batch.targets[batch.weights > 0].tolist())
    assert learned == sorted([symbol for post in posts for symbol in post] + [END] * len(posts))
    assert sum(batch.weights.sum() for batch in batches) == len(learned)


@given(posts_of_symbols, st.integers(1, 4), st.integers(4, 16))
def test_a_post_is_predicted_from_its_own_beginning_only(posts: list[list[int]], rows: int, length: int) -> None:
    found = [
        piece for batch in packed_batches(arrays(posts), rows=rows, length=length, end=END) for piece in pieces(batch)
    ]
    expected = []
    for post in posts:
        whole = [END, *post, END]
        for start in range(0, len(post) + 1, length):
            size = min(length, len(post) + 1 - start)
            positions = list(range(start, start + size))
            expected.append((whole[start : start + size], whole[start + 1 : start + size + 1], positions))
    assert sorted(found) == sorted(expected)


def test_a_post_is_read_behind_its_topic_of_which_nothing_is_learned() -> None:
    posts, topics = arrays([[1, 2], [3, 4, 5]]), arrays([[8, 9], []])
    (batch,) = packed_batches(posts, rows=1, length=12, end=END, topics=topics)
    assert sorted(pieces(batch)) == [
        ([END, 3, 4, 5], [3, 4, 5, END], [0, 1, 2, 3]),
        ([END, 8, 9, END, 1, 2], [8, 9, END, 1, 2, END], [0, 1, 2, 3, 4, 5]),
    ]
    assert sorted(batch.targets[batch.weights > 0].tolist()) == [END, END, 1, 2, 3, 4, 5]


@given(posts_of_symbols, st.integers(1, 4), st.integers(4, 16))
def test_with_topics_the_same_targets_count(posts: list[list[int]], rows: int, length: int) -> None:
    topics = arrays([[51] * (len(post) % 4) for post in posts])
    batches = packed_batches(arrays(posts), rows=rows, length=length, end=END, topics=topics)
    learned = sorted(target for batch in batches for target in batch.targets[batch.weights > 0].tolist())
    assert learned == sorted([symbol for post in posts for symbol in post] + [END] * len(posts))


def test_padding_has_no_weight_and_sees_no_post() -> None:
    (batch,) = packed_batches(arrays([[1, 2]]), rows=2, length=5, end=END)
    assert batch.weights.tolist() == [[1, 1, 1, 0, 0], [0] * 5]
    assert batch.segments.tolist() == [[0, 0, 0, -1, -1], [-1] * 5]


def test_posts_fill_the_rows() -> None:
    rng = np.random.default_rng(0)
    posts = [rng.integers(1, 50, rng.integers(3, 60)).astype(np.int32) for _ in range(400)]
    batches = packed_batches(posts, rows=2, length=64, end=END, rng=rng)
    assert np.mean([batch.weights.mean() for batch in batches[:-1]]) > 0.9


def test_the_order_depends_on_the_seed_only() -> None:
    posts = arrays([[number] * 3 for number in range(1, 30)])
    first, again, other = (
        [
            batch.inputs.tolist()
            for batch in packed_batches(posts, rows=2, length=8, end=END, rng=np.random.default_rng(seed))
        ]
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@given(posts_of_symbols, st.integers(1, 4), st.integers(4, 16))
def test_the_context_of_a_target_is_what_its_own_piece_has_before_it(
    posts: list[list[int]], rows: int, length: int
) -> None:
    found, expected = [], []
    for batch in packed_batches(arrays(posts), rows=rows, length=length, end=END, rng=np.random.default_rng(0)):
        contexts = batch.contexts()
        for row in range(len(batch.inputs)):
            for segment in sorted(set(batch.segments[row].tolist()) - {-1}):
                at = batch.segments[row] == segment
                read = [NONE] * (ORDER - 1) + batch.inputs[row, at].tolist()
                expected += [read[place : place + ORDER] for place in range(int(at.sum()))]
                found += contexts[row, at].tolist()
    assert found == expected
