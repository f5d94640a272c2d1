from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.errors import TooFewPosts
from models_app.ml.evaluation import evaluation
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.networks.registry import kind_of
from models_app.ml.vocabulary import UTF8_BYTES
from models_app.ml.vocabulary.utf8_bytes import END
from tests.ml.conftest import TINY, random_checkpoint

POSTS = ["short", "a somewhat longer post 👋", "é", "", "one\nmore", "x" * 300, "the last"]


def test_a_network_that_knows_nothing_needs_eight_bits_a_symbol() -> None:
    uniform = random_checkpoint(scale=0)
    result = evaluate(uniform, ["abc", "é"])
    # "abc" and END are 4 symbols, "é" and END are 3; they are 3 + 1 + 1 + 1 characters.
    assert result.characters == 4
    assert result.posts == 2
    assert result.bits_per_character == pytest.approx(8 * 7 / 6, rel=1e-6)


def test_a_fixed_distribution_is_measured_as_by_hand() -> None:
    logits = np.zeros(256, np.float32)
    logits[ord("a")], logits[END] = 4, 2
    weights = dict(random_checkpoint(scale=0).weights) | {"output_bias": logits}
    total = math.log(math.exp(4) + math.exp(2) + 254)
    result = evaluate(Checkpoint(TINY, weights, {}, ""), ["aab"])
    by_hand = ((total - 4) + (total - 4) + total + (total - 2)) / math.log(2) / 4
    assert result.bits_per_character == pytest.approx(by_hand, rel=1e-6)


def test_parts_are_measured_as_by_hand_and_make_up_the_whole() -> None:
    logits = np.zeros(256, np.float32)
    logits[ord("a")], logits[END] = 4, 2
    weights = dict(random_checkpoint(scale=0).weights) | {"output_bias": logits}
    result = evaluate(Checkpoint(TINY, weights, {}, ""), ["aab é", "@ab"])
    total = math.log(math.exp(4) + math.exp(2) + 254) / math.log(2)
    likely, end = total - 4 / math.log(2), total - 2 / math.log(2)
    assert {name: part.characters for name, part in result.parts.items()} == {
        "names": 3,
        "words": 4,
        "the rest": 1,
        "end marks": 2,
    }
    # "é" is one character of two bytes.
    by_hand = {
        "names": (total + likely + total) / 3,
        "words": (2 * likely + total + 2 * total) / 4,
        "the rest": total,
        "end marks": end,
    }
    assert {name: part.bits_per_character for name, part in result.parts.items()} == pytest.approx(by_hand, rel=1e-6)
    bits = sum(part.bits_per_character * part.characters for part in result.parts.values())
    assert bits / (result.characters + result.posts) == pytest.approx(result.bits_per_character)


def bits_alone(checkpoint: Checkpoint, post: str) -> float:
    stepper = kind_of(TINY).stepper(TINY, checkpoint.weights)
    state = stepper.start(1)
    symbols = [END, *UTF8_BYTES.encode(post).tolist(), END]
    bits = 0.0
    for symbol, wanted in itertools.pairwise(symbols):
        logits, state = stepper.step(np.array([symbol]), state)
        shares = np.exp(logits[0].astype(np.float64))
        bits -= math.log2(shares[wanted] / shares.sum())
    return bits


def test_posts_side_by_side_measure_the_sum_of_posts_alone(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "CHUNK", 5)
    monkeypatch.setattr(evaluation, "ROWS", 3)
    result = evaluate(checkpoint, POSTS)
    expected = sum(bits_alone(checkpoint, post) for post in POSTS)
    assert result.posts == len(POSTS)
    assert result.characters == sum(map(len, POSTS))
    assert result.bits_per_character * (result.characters + len(POSTS)) == pytest.approx(expected, rel=1e-5)


def test_progress_is_told_and_posts_are_taken_in_chunks(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "CHUNK", 4)
    taken: list[int] = []
    told: list[tuple[int, int]] = []

    def posts() -> Iterator[str]:
        for number in range(10):
            taken.append(number)
            yield "post"

    evaluate(checkpoint, posts(), lambda count: told.append((count, len(taken))))
    assert told == [(4, 4), (8, 8), (10, 10)]


def test_extreme_logits_do_not_overflow() -> None:
    weights = dict(random_checkpoint(scale=0).weights)
    weights["output_bias"] = np.linspace(-1e4, 1e4, 256).astype(np.float32)
    result = evaluate(Checkpoint(TINY, weights, {}, ""), ["a"])
    assert math.isfinite(result.bits_per_character)


def test_no_post_is_no_evaluation(checkpoint: Checkpoint) -> None:
    with pytest.raises(TooFewPosts):
        evaluate(checkpoint, [])
