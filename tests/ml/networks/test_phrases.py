from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save

from models_app.ml.networks import phrases
from models_app.ml.networks.phrases import NONE, ORDER, SHARES, BadPhrases, Phrases, Recalling, contexts_after
from models_app.ml.networks.states import Arrays

END, SIZE = 0, 9


def posts_of(*posts: Sequence[int]) -> list[NDArray[np.int32]]:
    return [np.array(post, np.int32) for post in posts]


#: 1 2 3 is in two posts, 1 2 4 in one; 7 8 is twice in one post.
POSTS = posts_of([1, 2, 3], [5, 1, 2, 3], [1, 2, 4], [7, 8, 7, 8])


@pytest.fixture
def found() -> Phrases:
    return Phrases.of(POSTS, END)


def context(*last: int) -> NDArray[np.int64]:
    return np.array([[NONE] * (ORDER - len(last)) + list(last)], np.int64)


def chances(logits: NDArray[Any]) -> NDArray[np.float64]:
    weights = np.exp(logits.astype(np.float64))
    found: NDArray[np.float64] = weights / weights.sum(axis=-1, keepdims=True)
    return found


EVEN = np.zeros((1, SIZE), np.float32)


@pytest.mark.parametrize(
    ("last", "followed", "order", "total", "kinds"),
    [
        ((1,), {2: 3}, 1, 3, 1),
        ((1, 2), {3: 2}, 2, 3, 2),
        ((END, 1, 2), {}, 2, 3, 2),  # followed by 3 once and by 4 once, so only 1 2 is known
        ((END, 1), {2: 2}, 2, 2, 1),
        ((END,), {1: 2}, 1, 4, 3),
        ((6, 1), {2: 3}, 1, 3, 1),
        ((3,), {END: 2}, 1, 2, 1),
    ],
)
def test_the_longest_context_that_two_posts_share_counts(
    found: Phrases, last: tuple[int, ...], followed: dict[int, int], order: int, total: int, kinds: int
) -> None:
    followed = followed or {3: 2}
    mixed = chances(found.mixed(EVEN, context(*last)))[0]
    weight = SHARES[order - 1] * total / (total + kinds)
    kept = sum(followed.values()) / total
    expected = np.full(SIZE, (1 - weight * kept) / SIZE)
    for symbol, count in followed.items():
        expected[symbol] += weight * count / total
    np.testing.assert_allclose(mixed, expected, rtol=1e-5)


def test_what_only_one_post_has_is_not_kept(found: Phrases) -> None:
    for last in ((7,), (8, 7), (END, 7), (4,), (5,)):
        np.testing.assert_array_equal(found.mixed(EVEN, context(*last)), EVEN)
    assert not len(Phrases.of(posts_of([1, 2], [3, 4]), END))
    assert not len(Phrases.of([], END))


def test_the_network_keeps_its_say_and_nothing_is_changed_in_place(found: Phrases) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (2, SIZE)).astype(np.float32)
    logits[0, 2] = -1e4  # impossible for the network, so all of it comes from the phrases
    before = logits.copy()
    lasts = np.concatenate([context(1), context(6)])
    mixed = found.mixed(logits, lasts)
    np.testing.assert_array_equal(logits, before)
    np.testing.assert_array_equal(mixed[1], logits[1])
    weight = SHARES[0] * 3 / 4
    assert chances(mixed)[0, 2] == pytest.approx(weight, rel=1e-5)
    others = [symbol for symbol in range(SIZE) if symbol != 2]
    np.testing.assert_allclose(chances(mixed)[0, others], (1 - weight) * chances(logits)[0, others], rtol=1e-4)


def test_surprisals_are_those_of_the_mixed_logits(found: Phrases) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (4, SIZE)).astype(np.float32)
    lasts = np.concatenate([context(1), context(1, 2), context(6), context(END)])
    targets = np.array([2, 4, 2, 1])
    rows = np.arange(4)
    alone = -np.log(chances(logits))[rows, targets]
    expected = -np.log(chances(found.mixed(logits, lasts)))[rows, targets]
    np.testing.assert_allclose(found.surprisals(alone, lasts, targets), expected, rtol=1e-5)


def test_half_the_trust_is_half_the_weight(found: Phrases) -> None:
    half = found.trusted(0.5)
    assert chances(half.mixed(EVEN, context(1)))[0, 2] == pytest.approx(
        (chances(found.mixed(EVEN, context(1)))[0, 2] + 1 / SIZE) / 2, rel=1e-5
    )
    assert found.trust == 1


def test_only_the_newest_symbols_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phrases, "MAX_SYMBOLS", 8)
    kept = Phrases.of(posts_of([5, 6], [5, 6], [1, 2, 3], [1, 2, 3]), END)
    assert chances(kept.mixed(EVEN, context(1)))[0, 2] > 0.15
    np.testing.assert_array_equal(kept.mixed(EVEN, context(5)), EVEN)


def test_beside_those_of_other_posts_they_are_those_of_all_posts_as_far_as_two_of_either_have_them() -> None:
    more = posts_of([1, 2, 3], [1, 2, 3, 6], [6, 2], [6, 2], [4, 8])
    joined = Phrases.of(more, END, beside=Phrases.of(POSTS, END).trusted(0.5))
    both = Phrases.of([*POSTS, *more], END)
    assert joined.trust == 1
    for last in ((1,), (1, 2), (END, 1), (6,), (2, 3)):
        np.testing.assert_allclose(joined.mixed(EVEN, context(*last)), both.mixed(EVEN, context(*last)), rtol=1e-6)
    # 4 ends one of the first posts, and 8 follows it in one of the others.
    np.testing.assert_array_equal(joined.mixed(EVEN, context(4)), EVEN)
    again = Phrases.from_bytes(joined.to_bytes(), SIZE)
    np.testing.assert_array_equal(again.mixed(EVEN, context(1)), joined.mixed(EVEN, context(1)))


def test_the_most_frequent_are_kept_if_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    often, seldom = posts_of(*[[1, 2]] * 5), posts_of(*[[3, 4]] * 2)
    known = Phrases.of(seldom, END)
    monkeypatch.setattr(phrases, "MAX_KEPT", len(Phrases.of(often, END)))
    joined = Phrases.of(often, END, beside=known)
    assert len(joined) == phrases.MAX_KEPT
    assert chances(joined.mixed(EVEN, context(1)))[0, 2] > 0.15
    np.testing.assert_array_equal(joined.mixed(EVEN, context(3)), EVEN)
    Phrases.from_bytes(joined.to_bytes(), SIZE)


def test_they_come_back_from_bytes(found: Phrases) -> None:
    again = Phrases.from_bytes(found.trusted(0.5).to_bytes(), SIZE)
    assert again.trust == 0.5 and len(again) == len(found)
    np.testing.assert_array_equal(again.mixed(EVEN, context(1, 2)), found.trusted(0.5).mixed(EVEN, context(1, 2)))
    none = Phrases.of([], END)
    assert len(Phrases.from_bytes(none.to_bytes(), SIZE)) == 0


def changed(found: Phrases, **arrays: Any) -> bytes:
    data: bytes = save({**found._arrays, **arrays})
    return data


@pytest.mark.parametrize(
    "arrays",
    [
        {"symbols": np.full(8, SIZE, np.int32)},
        {"symbols": np.full(8, -1, np.int32)},
        {"counts": np.full(8, 100, np.int32)},
        {"counts": np.zeros(8, np.int32)},
        {"kinds": np.zeros(8, np.int32)},
        {"contexts": np.full((8, ORDER), SIZE, np.int32)},
        {"contexts": np.full((8, ORDER), -2, np.int32)},
        {"starts": np.zeros(9, np.int32)},
        {"contexts": np.array(0, np.int32)},
        {"symbols": np.array(0, np.int32)},
        {"trust": np.array(1.5, np.float32)},
        {"trust": np.array(np.nan, np.float32)},
        {"totals": np.full(8, 100, np.int64)},
        {"more": np.zeros(1, np.int32)},
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(found: Phrases, arrays: dict[str, Any]) -> None:
    assert len(found) == 8
    with pytest.raises(BadPhrases):
        Phrases.from_bytes(changed(found, **arrays), SIZE)


@pytest.mark.parametrize("kind", ["nothing", "BF16", "F8_E4M3"])
def test_bytes_that_are_no_arrays_of_ours_are_refused(kind: str) -> None:
    header = json.dumps(
        {"trust": {"dtype": kind, "shape": [2], "data_offsets": [0, 4 if kind == "BF16" else 2]}}
    ).encode()
    data = len(header).to_bytes(8, "little") + header + bytes(4 if kind == "BF16" else 2)
    with pytest.raises(BadPhrases):
        Phrases.from_bytes(data, SIZE)


def test_a_post_does_not_know_the_one_before_it() -> None:
    lasts = np.full((2, ORDER), NONE, np.int64)
    seen = []
    for symbols in ([3, 3], [END, 4], [1, 5], [2, 6]):
        lasts = contexts_after(lasts, np.array(symbols), END)
        seen.append(lasts.tolist())
    first, second = ([each[row] for each in seen] for row in (0, 1))
    assert first == [[NONE, NONE, 3], [NONE, NONE, END], [NONE, END, 1], [END, 1, 2]]
    assert second == [[NONE, NONE, 3], [NONE, 3, 4], [3, 4, 5], [4, 5, 6]]


class Counting:
    """A stepper that predicts the symbol after the last one."""

    reads_at_once, rows_at_once, nbytes = 8, 4, 100

    def rows_of(self, characters: int) -> int:
        return 3

    def start(self, rows: int) -> Arrays:
        return Arrays((np.zeros(rows),))

    def step(self, symbols: NDArray[Any], state: Any) -> tuple[NDArray[np.float32], Arrays]:
        return 3 * np.eye(SIZE, dtype=np.float32)[(symbols + 1) % SIZE], Arrays((state[0] + 1,))

    def steps(self, steps: Sequence[tuple[NDArray[Any], Any]]) -> list[tuple[NDArray[np.float32], Arrays]]:
        return [self.step(*each) for each in steps]

    def read(self, symbols: NDArray[Any], state: Any) -> tuple[NDArray[np.float32], Arrays]:
        for column in symbols.T:
            logits, state = self.step(column, state)
        return logits, state


def test_a_stepper_recalls_what_each_text_has_read(found: Phrases) -> None:
    inner = Counting()
    stepper = Recalling(inner, found, END)
    assert (stepper.reads_at_once, stepper.rows_at_once, stepper.rows_of(9)) == (8, 4, 3)
    assert stepper.nbytes > inner.nbytes
    _, begun = stepper.step(np.array([END]), stepper.start(1))
    state = begun.fork(2)
    logits, state = stepper.step(np.array([1, 6]), state)
    alone, _ = inner.step(np.array([1, 6]), inner.start(2))
    np.testing.assert_array_equal(logits, found.mixed(alone, np.concatenate([context(END, 1), context(END, 6)])))
    # Rows that end leave the others with what they have read.
    picked = state.pick(np.array([1, 0, 0]))
    assert picked.contexts.tolist() == [[NONE, END, 6], [NONE, END, 1], [NONE, END, 1]]
    assert picked.nbytes > picked.inner.nbytes
    (several,) = stepper.steps([(np.array([2, 2, 2]), picked)])
    np.testing.assert_array_equal(several[0], stepper.step(np.array([2, 2, 2]), picked)[0])
    # A prompt that is read at once is the same as its symbols one by one.
    at_once, _ = stepper.read(np.array([[1, 2]]), begun)
    _, after = stepper.step(np.array([1]), begun)
    np.testing.assert_array_equal(at_once, stepper.step(np.array([2]), after)[0])
