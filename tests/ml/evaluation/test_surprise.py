from __future__ import annotations

import math

import pytest

from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.evaluation.surprise import LONGEST, POSTS, bits_of_words, surprises, words_of
from models_app.ml.sampling.copy_guard import CopyGuard
from tests.ml.conftest import favouring

BOT, BASE = favouring(**{"a": 3, " ": 2, "END": 1}), favouring(a=0, b=0, END=0)
LONG = "aa aaa aaaa aaa aa a aaaaaa aa aaa"


def test_the_words_are_the_whole_post_each_with_the_space_before_it() -> None:
    assert words_of("so it's  hé\n👋 there") == ["so", " it's", "  hé", "\n👋", " there"]
    assert words_of("今日は") == ["今日は"] and words_of("") == []


def test_the_bits_of_the_words_are_those_of_the_evaluation_without_the_end_mark() -> None:
    (bits,) = bits_of_words(BOT, [LONG])
    assert len(bits) == len(words_of(LONG))
    # This network predicts every symbol alike, so the end mark costs the same in each post.
    whole = evaluate(BOT, [LONG]).bits_per_character * (len(LONG) + 1)
    end = evaluate(BOT, [""]).bits_per_character
    assert sum(bits) == pytest.approx(whole - end, abs=0.01 * len(bits))
    assert math.isclose(bits[1], bits[4] + (len(" aaa") - len(" aa")) * (bits[2] - bits[1]), abs_tol=0.05)


def test_a_word_that_the_bot_knows_surprises_it_less_than_the_base() -> None:
    (found,) = surprises(BOT, BASE, [LONG], seed=1)
    assert found.post == 0 and len(found.base) == len(found.bot) == len(words_of(LONG))
    assert sum(found.bot) < sum(found.base)


def test_a_few_posts_are_chosen_that_are_not_long_and_that_nobody_has_learned() -> None:
    learned = "this one is known to the bot it started from"
    held_out = ["short", "a " * LONGEST, learned, *(f"post number {n} of those that fit in here" for n in range(9))]
    found = surprises(BOT, BASE, held_out, seed=1, known=CopyGuard.of([learned]))
    assert len(found) == POSTS and all(post.post > 2 for post in found)
    assert found == surprises(BOT, BASE, held_out, seed=1, known=CopyGuard.of([learned]))
    assert surprises(BOT, BASE, ["short"], seed=1) == ()
