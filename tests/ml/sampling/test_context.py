"""Posts in a network's context: new posts are written, and measured, as if they came after them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.decoder import LlamaDecoder
from models_app.ml.networks.llama.weights import adapter_shapes
from models_app.ml.networks.registry import kind_of
from models_app.ml.sampling.context import MAX_SYMBOLS, fitting, state_after, within
from models_app.ml.sampling.outcome import Writing
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.vocabulary import vocabulary_of
from tests.ml.training.adapters.test_trainer import start as start

CONTEXT = [f"the dog number {number} sleeps 🐕" for number in range(12)]
CONFIG = SamplingConfig(count=3, seed=5, max_characters=40, temperature=0.7)


@pytest.fixture
def llama(start: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """A tiny Llama whose adapter changes a lot."""
    monkeypatch.setenv("BOTFACTORY_ML_PRODUCTS", "float32")
    assert isinstance(start.network, LlamaConfig)
    rng = np.random.default_rng(2)
    weights = {
        name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in adapter_shapes(start.network).items()
    }
    return Checkpoint(start.network, weights, {}, "")


def test_a_post_is_measured_as_the_one_that_comes_next(llama: Checkpoint) -> None:
    stepper = kind_of(llama.network).stepper(llama.network, llama.weights)
    vocabulary = vocabulary_of(llama.network)
    posts = ["the dog sleeps", "a cat 🐈"]
    total, characters = 0.0, 0
    for post in posts:
        targets = [*vocabulary.encode(post).tolist(), vocabulary.end]
        before = [symbol for text in CONTEXT for symbol in (vocabulary.end, *vocabulary.encode(text).tolist())]
        state = stepper.start(1)
        for symbol in before:
            state = stepper.step(np.array([symbol]), state)[1]
        for symbol, target in zip([vocabulary.end, *targets[:-1]], targets, strict=True):
            logits, state = stepper.step(np.array([symbol]), state)
            row = logits[0].astype(np.float64)
            total += np.log(np.exp(row - row.max()).sum()) + row.max() - row[target]
        characters += len(post) + 1
    found = evaluate(llama, posts, context=CONTEXT).bits_per_character
    assert found == pytest.approx(total / np.log(2) / characters, rel=1e-4)
    assert found != pytest.approx(evaluate(llama, posts).bits_per_character, rel=1e-3)


def test_new_posts_follow_the_context_and_leave_it_as_it_was(llama: Checkpoint) -> None:
    sampler = Sampler(llama, CONTEXT)
    first = sampler.generate(CONFIG).posts
    assert first and first != Sampler(llama).generate(CONFIG).posts
    assert sampler.generate(SamplingConfig(count=5, seed=1, max_characters=40)).posts
    assert sampler.generate(CONFIG).posts == first
    assert Sampler(llama, CONTEXT).generate(CONFIG).posts == first


def test_without_a_top_p_it_is_the_usual_one_of_the_network(llama: Checkpoint) -> None:
    def posts(top_p: float | None) -> list[str]:
        config = SamplingConfig(count=12, seed=5, max_characters=40, temperature=1.5, top_p=top_p)
        return Sampler(llama).generate(config).posts

    assert posts(None) == posts(0.9) != posts(1.0)


def test_requests_that_run_at_the_same_time_do_not_disturb_each_other(llama: Checkpoint) -> None:
    sampler = Sampler(llama, CONTEXT)
    alone = [sampler.generate(SamplingConfig(seed=seed, max_characters=30)) for seed in range(2)]
    drawings = [sampler.draw(SamplingConfig(seed=seed, max_characters=30)) for seed in range(2)]
    steps = [next(drawing) for drawing in drawings]
    ended: dict[int, Writing] = {}
    while len(ended) < 2:
        for number, drawing in enumerate(drawings):
            if number not in ended:
                try:
                    steps[number] = drawing.send(sampler.step(steps[number]))
                except StopIteration as end:
                    ended[number] = end.value
    assert [ended[0], ended[1]] == alone


def test_a_prompt_comes_after_the_context(llama: Checkpoint) -> None:
    posts = Sampler(llama, CONTEXT).generate(SamplingConfig(seed=3, prompt="the do", max_characters=60)).posts
    assert all(post.startswith("the do") for post in posts)


def test_the_context_counts_as_memory(llama: Checkpoint) -> None:
    assert Sampler(llama).nbytes == sum(array.nbytes for array in llama.weights.values())
    assert Sampler(llama, CONTEXT).nbytes > Sampler(llama).nbytes


def test_no_more_texts_are_side_by_side_than_the_network_takes(
    llama: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LlamaDecoder, "rows_at_once", 3)
    started: list[int] = []
    read = LlamaDecoder.read

    def watched(self: LlamaDecoder, symbols: Any, state: Any, adapter: Any) -> Any:
        started.append(len(symbols))
        return read(self, symbols, state, adapter)

    monkeypatch.setattr(LlamaDecoder, "read", watched)
    posts = Sampler(llama).generate(SamplingConfig(count=8, seed=5, max_characters=40, temperature=0.7)).posts
    assert len(posts) == 8 and max(started) == 3
    started.clear()
    evaluate(llama, CONTEXT)
    assert max(started) == 3
    # Their caches would take too much memory.
    monkeypatch.setattr(LlamaDecoder, "rows_at_once", 8)
    # The three drafts of a post are drawn together where they can be.
    for limit, most in ((500, 6), (1000, 3), (4000, 1)):
        started.clear()
        Sampler(llama).generate(SamplingConfig(count=8, seed=5, max_characters=limit, temperature=0.7))
        assert max(started) == most


ENGLISH = [f"Just had the best coffee of my life, number {number}, and nobody believes me." for number in range(60)]
JAPANESE = [f"今日は朝から雨だったけど、{number}回目のコーヒーを飲んだら元気が出た。楽しみ!" for number in range(60)]
EMOJI = ["😂🔥👩🏽‍🚀🇳🇱❤️🙏🎉" * 8] * 20


def symbols_of(llama: Checkpoint, posts: list[str]) -> int:
    return sum(len(vocabulary_of(llama.network).encode(post)) + 1 for post in posts)


@pytest.mark.parametrize("posts", [JAPANESE, EMOJI, ["x"] * 1600], ids=["Japanese", "emoji", "one letter each"])
def test_a_context_has_no_more_symbols_than_allowed_in_any_script(llama: Checkpoint, posts: list[str]) -> None:
    vocabulary = vocabulary_of(llama.network)
    kept = within(fitting(reversed(posts)), vocabulary)
    assert kept == posts[-len(kept) :]
    assert symbols_of(llama, kept) <= MAX_SYMBOLS < symbols_of(llama, posts[-len(kept) - 1 :])
    assert within(kept, vocabulary) == kept


def test_one_post_that_is_too_long_for_a_context_is_cut(llama: Checkpoint) -> None:
    posts = ["before", "雨" * 1600]
    kept = within(posts, vocabulary_of(llama.network))
    assert len(kept) == 1 and posts[1].startswith(kept[0])
    assert MAX_SYMBOLS - 10 < symbols_of(llama, kept) <= MAX_SYMBOLS


def test_a_context_of_an_earlier_version_is_cut_when_it_is_read(llama: Checkpoint) -> None:
    stepper, vocabulary = kind_of(llama.network).stepper(llama.network, llama.weights), vocabulary_of(llama.network)
    posts = fitting(reversed(JAPANESE))
    cut, whole = state_after(within(posts, vocabulary), stepper, vocabulary), state_after(posts, stepper, vocabulary)
    assert cut is not None and whole is not None and whole.nbytes == cut.nbytes
