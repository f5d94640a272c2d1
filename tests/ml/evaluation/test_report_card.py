from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import Mock

import pytest

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import NetworkConfig, SamplingConfig
from models_app.ml.errors import Cancelled, TooFewPosts
from models_app.ml.evaluation import report_card as module
from models_app.ml.evaluation.authorship import VoiceClassifier
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.evaluation.report_card import MAX_MEASURED, POSTS, Copied, ReportCard, report_card
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.outcome import Refused, Writing
from models_app.ml.sampling.sampler import Sampler
from tests.ml.conftest import favouring

BASE = favouring(b=0, c=0, END=0)
WORDS = favouring(**dict.fromkeys("abcdefgh", 0), **{" ": 1.5, "END": 0})
LEARNED = ["aa aaa aaaa a", "a", "aaa a aa", "aaaaa aaaa", *(f"a{'a' * n} a a{'a' * (n % 7)} a" for n in range(40))]
HELD_OUT = ["aa aa a", "a aaa", "aaaa"]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEARNED_BY_CLASSIFIER", 100)


def card(bot: Checkpoint, **others: Any) -> ReportCard:
    values: dict[str, Any] = {"start": BASE, "base": BASE, "learned": LEARNED, "held_out": HELD_OUT} | others
    return report_card(bot=bot, **values)


def test_a_bot_that_only_repeats_one_post_is_told_to_copy_and_which() -> None:
    parrot = card(favouring(a=0, END=20))
    assert parrot.written == parrot.asked == POSTS
    assert parrot.novelty.bot == 0
    assert parrot.copies == (Copied(1, 1.0, 1),) * POSTS
    assert parrot.voice.bot == parrot.real_words.bot == 1


def test_a_bot_that_writes_nonsense_is_new_and_nothing_else() -> None:
    nonsense = card(favouring(q=0, z=0, x=0, END=-3))
    assert nonsense.novelty.bot == 1 and nonsense.copies == ()
    assert nonsense.real_words.bot == 0
    assert nonsense.bits_per_character > 10


def test_a_bot_that_has_learned_nothing_gets_what_the_base_model_gets() -> None:
    lazy = card(BASE)
    assert lazy.bits_per_character == lazy.start_bits_per_character == lazy.base_bits_per_character
    for shares in (lazy.novelty, lazy.voice, lazy.real_words):
        assert shares.bot == shares.base
    assert lazy.voice.base == 0 and lazy.voice.held_out == 1


def test_bits_are_those_of_the_evaluation_for_each_of_the_three() -> None:
    bot, start = favouring(**{"a": 3, " ": 2, "END": 1}), favouring(**{"a": 1, " ": 2, "END": 1})
    found = card(bot, start=start)
    for value, checkpoint in [
        (found.bits_per_character, bot),
        (found.start_bits_per_character, start),
        (found.base_bits_per_character, BASE),
    ]:
        assert value == evaluate(checkpoint, HELD_OUT).bits_per_character
    assert found.bits_per_character < found.start_bits_per_character < found.base_bits_per_character
    assert found.measured == len(HELD_OUT)


def test_bits_that_the_training_has_measured_are_not_measured_again() -> None:
    bot = favouring(**{"a": 3, " ": 2, "END": 1})
    many = HELD_OUT * (MAX_MEASURED // len(HELD_OUT) + 1)
    found = card(bot, held_out=many, trained_bits=(1.25, 2.5))
    assert (found.bits_per_character, found.start_bits_per_character, found.base_bits_per_character) == (1.25, 2.5, 2.5)
    assert found.measured == len(many) > MAX_MEASURED
    # A fluent bot's training measures only some of them.
    assert card(bot, held_out=many, trained_bits=(1.25, 2.5), trained_on=7).measured == 7
    # The training doesn't know another base model, so all three are measured on the same posts.
    further = card(bot, held_out=many, trained_bits=(1.25, 2.5), start=favouring(**{"a": 1, "END": 1}))
    assert further.measured == MAX_MEASURED and 1.25 != further.bits_per_character < further.base_bits_per_character


def test_what_a_parent_learned_is_a_copy_too_and_makes_the_held_out_posts_known() -> None:
    guard = CopyGuard.of(["z", HELD_OUT[0], "something else of the parent"])
    found = card(favouring(z=0, END=20), start_guard=guard)
    assert found.novelty.bot == 0 and set(found.copies) == {Copied(None, 1.0, 1)}
    assert found.known_to_start == 1
    # The real posts are only compared with the posts of this corpus.
    assert found.novelty.held_out == card(BASE).novelty.held_out


def test_a_bot_whose_posts_never_end_has_no_shares() -> None:
    endless = card(favouring(a=0))
    assert endless.written == 0
    assert endless.novelty.bot is endless.voice.bot is endless.real_words.bot is None
    assert endless.voice.held_out is not None


def test_the_same_arguments_give_the_same_card_and_it_is_plain_json() -> None:
    bot = favouring(**{"a": 0, " ": 0, "b": -1, "END": 0})
    one, other = card(bot), card(bot)
    assert one == other
    values = one.as_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    # No written or learned text is stored: a copy is an index.
    assert "aaa" not in json.dumps(values)


def test_each_side_of_the_classifier_has_as_many_posts() -> None:
    assert card(BASE).classifier_posts == len(LEARNED)
    assert card(BASE, learned=LEARNED * 5).classifier_posts == 100


def test_what_the_base_model_writes_can_be_at_hand() -> None:
    bot, asked = favouring(**{"a": 0, " ": 0, "b": -1, "END": 0}), list[None]()
    written = module.base_samples(BASE, lambda: asked.append(None))
    assert len(written.unseen) == POSTS and len(written.learned) == 100 and asked
    assert written == module.base_samples(BASE) and written.unseen != written.learned
    assert card(bot, others=written) == card(bot)
    others = module.BaseSamples(("aaaa",) * POSTS, ("q q q",) * 100)
    assert card(bot, others=others).voice.base == card(bot, others=others).real_words.base == 1


def test_posts_of_a_pretrained_base_that_does_not_end_them_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    # What was kept for a small network stays valid.
    small = {"posts": POSTS, "learned": module.LEARNED_BY_CLASSIFIER, "seed": module.SEED, "temperature": 0.9}
    assert module.rules_of_base_samples(BASE) == small
    # As if this small network were a pretrained one.
    monkeypatch.setattr(module, "LlamaConfig", NetworkConfig)
    assert module.rules_of_base_samples(BASE)["cut"]
    written = module.base_samples(favouring(a=0))
    assert {*written.unseen, *written.learned} == {"a" * 280} and len(written.unseen) == POSTS


def test_a_slow_base_writes_only_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, float]] = []

    def slow(sampler: object, seed: int, between: object, seconds: float, *, cut: bool) -> Writing:
        asked.append((seed, seconds))
        time.sleep(0.3)
        return Writing([f"by {seed}"], Refused())

    monkeypatch.setattr(module, "LEARNED_BY_CLASSIFIER", 1000)
    monkeypatch.setattr(module, "BASE_SECONDS", 0.2)
    monkeypatch.setattr(module, "_write", slow)
    assert module.base_samples(BASE) == module.BaseSamples(("by 1",), ("by 2",))
    assert sorted(seed for seed, _ in asked) == [1, 2] and all(0.05 < seconds <= 0.2 for _, seconds in asked)


def test_writing_base_samples_can_be_cancelled_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = iter(range(100))

    def cancel() -> None:
        if next(asked) == 1:
            raise Cancelled("Enough.")

    def endless(sampler: object, seed: int, between: Callable[[], None], seconds: float, *, cut: bool) -> list[str]:
        while True:
            between()
            time.sleep(0.01)

    monkeypatch.setattr(module, "_write", endless)
    with pytest.raises(Cancelled):
        module.base_samples(BASE, cancel)


def test_the_classifier_learns_as_many_strangers_as_posts_of_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    sides: list[tuple[int, int]] = []

    def noted(own: Sequence[str], others: Sequence[str]) -> VoiceClassifier:
        sides.append((len(own), len(others)))
        return VoiceClassifier.of(own, others)

    monkeypatch.setattr(module, "VoiceClassifier", Mock(of=noted))
    card(BASE)
    card(BASE, learned=LEARNED * 5)
    assert sides == [(len(LEARNED), len(LEARNED)), (100, 100)]


def test_a_bot_that_shouts_is_told_apart_and_one_that_writes_like_the_person_is_not() -> None:
    held_out = [f"a{'a' * n} a a{'a' * (n % 5)} a" for n in range(60)]
    like, unlike = favouring(**{"a": 0, " ": -1, "END": -2}), favouring(A=0, END=-2)
    told = {name: card(bot, held_out=held_out).told_apart for name, bot in (("like", like), ("unlike", unlike))}
    assert told["like"] and told["unlike"]
    assert told["like"].share < told["unlike"].share == 1
    assert told["like"].posts == told["unlike"].posts == 60
    assert card(like).told_apart is None, "three held-out posts are too few"


def test_it_can_be_ended_in_between() -> None:
    asked = iter(range(100))

    def cancel() -> None:
        if next(asked) == 4:
            raise Cancelled("Enough.")

    with pytest.raises(Cancelled, match="Enough"):
        card(BASE, between=cancel)


def test_without_a_held_out_post_there_is_no_card() -> None:
    with pytest.raises(TooFewPosts):
        card(BASE, held_out=[])


def test_only_a_bot_that_chooses_from_drafts_is_judged_by_its_sense() -> None:
    # Which bot chooses is a matter of its kind of network, so both write here as they're told.
    drawn = Sampler(WORDS).generate(SamplingConfig(count=20, best_of=1, seed=1, temperature=1))
    chosen = Sampler(WORDS).generate(SamplingConfig(count=20, best_of=3, seed=1, temperature=1))
    assert drawn.sense is None and chosen.sense is not None and 0 <= chosen.sense <= 3
    assert card(favouring(**{"a": 0, "END": 0})).sense is None
