"""The n-gram model compared with a slow one that counts in dictionaries."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.ngram import KneserNey, mixed
from benchmarks.personas import joined
from models_app.ml.vocabulary.utf8_bytes import END

Gram = tuple[int, ...]


class SlowKneserNey:
    """Interpolated modified Kneser-Ney as in Chen and Goodman, one n-gram at a time."""

    def __init__(self, posts: Sequence[bytes], order: int) -> None:
        plain: dict[int, Counter[Gram]] = defaultdict(Counter)
        for post in posts:
            text = (END, *post, END)
            for end in range(1, len(text)):
                for length in range(1, min(order, end + 1) + 1):
                    plain[length][text[end - length + 1 : end + 1]] += 1
        self._levels: list[tuple[Counter[Gram], list[float]]] = []
        for length in range(1, order + 1):
            counts = Counter(plain[length])
            if length < order:
                before: dict[Gram, set[int]] = defaultdict(set)
                for gram in plain[length + 1]:
                    before[gram[1:]].add(gram[0])
                # An n-gram at the beginning of a post has nothing before it, so it keeps its count.
                counts = Counter(
                    {g: n if length > 1 and g[0] == END else len(before[g]) for g, n in plain[length].items()}
                )
            self._levels.append((counts, self._discounts(counts)))

    @staticmethod
    def _discounts(counts: Counter[Gram]) -> list[float]:
        n = [0, *(sum(count == times for count in counts.values()) for times in (1, 2, 3, 4))]
        if not all(n[1:]):
            return [0, 0.5, 0.5, 0.5]
        y = n[1] / (n[1] + 2 * n[2])
        found = [times - (times + 1) * y * n[times + 1] / n[times] for times in (1, 2, 3)]
        return [0, *(min(max(d, 0.01), times - 0.01) for times, d in enumerate(found, 1))]

    def probability(self, context: Gram, symbol: int) -> float:
        """Return the probability of the symbol, given everything before it in its post, including END."""
        p = 1 / 256
        for length, (counts, discounts) in enumerate(self._levels, 1):
            if length - 1 > len(context):
                break
            history = context[len(context) - length + 1 :]
            following = {gram: n for gram, n in counts.items() if gram[:-1] == history}
            if following:
                total = sum(following.values())
                left = sum(discounts[min(n, 3)] for n in following.values()) / total
                n = following.get((*history, symbol), 0)
                p = (n - discounts[min(n, 3)]) / total + left * p
        return p


def some_texts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices("ab c", [5, 3, 2, 1], k=rng.randint(1, 12))) for _ in range(count)]


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_it_gives_the_probabilities_of_a_slow_implementation(order: int) -> None:
    learned, asked = some_texts(60, seed=0), [*some_texts(8, seed=1), "zebra", "abz ab"]
    slow = SlowKneserNey([text.encode() for text in learned], order)
    expected = [
        slow.probability((END, *post[:place]), symbol)
        for post in (text.encode() for text in asked)
        for place, symbol in enumerate((*post, END))
    ]
    # Made beside other orders, which share its lower levels.
    found = KneserNey(joined(learned), sorted({2, order, 7})).probabilities(joined(asked))[order]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert min(expected) < 1e-3 < 0.3 < max(expected)


@pytest.mark.parametrize("before", ["", "a", "ab", "ab c", "never seen: é", "abab" * 5])
def test_the_probabilities_of_all_symbols_sum_to_one(before: str) -> None:
    model = KneserNey(joined(some_texts(60, seed=0)), [1, 3, 8])
    assert len(model.orders) == 3
    for order in model.orders:
        each = [model.probabilities(before.encode() + bytes([symbol]))[order][-1] for symbol in range(256)]
        assert min(each) > 0
        assert sum(each) == pytest.approx(1, abs=1e-5)


def test_longer_contexts_foresee_a_text_with_a_pattern_better_and_all_beat_chance() -> None:
    posts = [f"{a} likes {b}." for a in ("Ann", "Bob", "Cleo") for b in ("tea", "rain", "long walks")] * 4
    model = KneserNey(joined(posts), [1, 2, 4, 8])
    found = model.probabilities(joined(["Bob likes tea.", "Cleo likes walks."]))
    bits = {order: -float(np.log2(found[order]).mean()) for order in model.orders}
    assert 8 > bits[1] > bits[2] > bits[4] and bits[2] > bits[8]


def test_a_context_does_not_reach_into_the_post_before() -> None:
    model = KneserNey(joined(some_texts(60, seed=0)), [6])
    alone, behind = model.probabilities(joined(["abc"])), model.probabilities(joined(["cab ab", "abc"]))
    np.testing.assert_array_equal(behind[6][-4:], alone[6])


def test_how_long_a_context_is_known_counts_its_symbols_and_the_start_mark() -> None:
    model = KneserNey(joined(["abcd"]), [3, 5])
    assert model.longest_known(joined(["abcd", "xbcd"])).tolist() == [1, 2, 3, 4, 4, 1, 0, 1, 2, 3]


def test_orders_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="between 1 and 8"):
        KneserNey(b"abc\xff", [9])


def test_the_mixture_trusts_in_each_group_the_model_that_was_right() -> None:
    right, wrong = np.full(400, 0.5), np.full(400, 0.001)
    groups = np.repeat([0, 1], 200)
    first = np.where(groups == 0, right, wrong)
    weights = mixed(first, np.where(groups == 0, wrong, right), groups)
    assert weights[0] > 0.95 and weights[1] < 0.05
