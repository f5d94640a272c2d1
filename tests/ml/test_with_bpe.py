"""The whole path of a network that doesn't read bytes: learning, evaluation, storage and writing."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models_app.ml import checkpoint as files
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import FineTuneConfig, NetworkConfig, SamplingConfig
from models_app.ml.errors import CheckpointError
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.networks.registry import kind_of
from models_app.ml.sampling import place
from models_app.ml.sampling.choosing import choose
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.sampling.sense import Draft
from models_app.ml.training.dataset import StreamPacker
from models_app.ml.training.trainer import fine_tune
from models_app.ml.vocabulary import register, registry
from models_app.ml.vocabulary.bpe import BpeVocabulary
from tests.ml.vocabulary.conftest import TEXT, trained

VOCABULARY = register(BpeVocabulary.from_json(json.dumps(trained(missing=b"\x04"))))
NETWORK = NetworkConfig(vocabulary=VOCABULARY.name, embedding=6, units=12)
GLR = NetworkConfig(kind="glr", units=12, layers=2, contexts=(2,), context_rows=64, context_width=4).of_tokens(
    VOCABULARY.name
)


def random_model(seed: int = 0, scale: float = 1.0, ends: float = 4) -> Checkpoint:
    rng = np.random.default_rng(seed)
    shapes = kind_of(NETWORK).weight_shapes(NETWORK)
    weights: dict[str, Any] = {name: rng.normal(0, scale, shape).astype(np.float32) for name, shape in shapes.items()}
    weights["output_bias"][VOCABULARY.end] += ends
    return Checkpoint(NETWORK, weights, {}, "")


@pytest.mark.parametrize("network", [NETWORK, GLR], ids=["lstm", "glr"])
def test_it_learns(network: NetworkConfig, tmp_path: Path) -> None:
    start = Checkpoint(network, kind_of(network).first_weights(network, 1), {}, "")
    config = FineTuneConfig(
        epochs=2,
        batch_size=4,
        sequence_length=16,
        learning_rate=0.02,
        final_learning_rate=0.1,
        warmup_steps=0,
        dropout=0,
    )
    result = fine_tune(
        start=start,
        train=TEXT,
        validation=TEXT[:5],
        config=config,
        work_dir=tmp_path,
        on_progress=lambda _: None,
        on_epoch=lambda _: None,
        control=lambda: "go",
        sample_count=1,
    )
    assert result.bits_per_character < result.start_bits_per_character - 0.1
    trained = Checkpoint(network, result.weights, {}, "")
    measured = evaluate(trained, TEXT[:5]).bits_per_character
    assert measured == pytest.approx(result.bits_per_character, rel=0.02)
    sampling = SamplingConfig(count=5, seed=3, prompt="The ca")
    assert Sampler(trained).generate(sampling).posts == Sampler(trained).generate(sampling).posts


def test_bits_of_all_characters_are_the_bits_of_all_symbols() -> None:
    model, post = random_model(), "I love @cat and 10 👩🏽‍🚀 #tea https://example.org/tea 東京"
    stepper = kind_of(NETWORK).stepper(NETWORK, model.weights)
    bits, state, before = 0.0, stepper.start(1), VOCABULARY.end
    for symbol in [*VOCABULARY.encode(post).tolist(), VOCABULARY.end]:
        logits, state = stepper.step(np.array([before]), state)
        bits -= (logits[0, symbol] - np.log(np.exp(logits[0].astype(np.float64)).sum())) / math.log(2)
        before = symbol
    evaluation = evaluate(model, [post, "short", post])
    alone = evaluate(model, [post])
    assert alone.bits_per_character == pytest.approx(bits / (len(post) + 1), rel=1e-5)
    assert set(alone.parts) == {"links", "names", "hashtags", "numbers", "words", "the rest", "end marks"}
    total = sum(part.bits_per_character * part.characters for part in alone.parts.values())
    assert total == pytest.approx(bits, rel=1e-5)
    assert evaluation.characters == 2 * len(post) + len("short")


@pytest.mark.parametrize("temperature", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_it_writes_only_valid_text_within_the_limit(temperature: float, seed: int) -> None:
    config = SamplingConfig(count=30, temperature=temperature, seed=seed, max_characters=30, mask_mentions=False)
    posts = Sampler(random_model(seed)).generate(config).posts
    assert posts
    for post in posts:
        assert post.encode().decode() == post and 0 < len(post) <= 30
        assert not [character for character in post if ord(character) < 32 and character != "\n"]


PROMPTS = ["I lo", "I love ", "Ü", "x\x04", "\x04", "東京の猫は", "hi 👩🏽‍🚀", "<|endoftext|>", "@ca", "\n", "1\x00\t"]


@pytest.mark.parametrize("temperature", [0.0, 1.5])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_each_post_continues_the_prompt_whatever_it_is(prompt: str, temperature: float) -> None:
    config = SamplingConfig(
        count=8, prompt=prompt, temperature=temperature, seed=1, max_characters=60, mask_mentions=False
    )
    posts = Sampler(random_model(seed=5)).generate(config).posts
    assert posts
    for post in posts:
        assert post.startswith(prompt) and post.strip() != prompt.strip()


def favouring(**logits: float) -> Checkpoint:
    """A network that always gives these logits to these tokens and -30 to all others."""
    model = random_model(scale=0)
    bias = np.full(VOCABULARY.size, -30, np.float32)
    for token, value in logits.items():
        bias[VOCABULARY.end if token == "END" else VOCABULARY.symbol_bytes.index(token.encode())] = value
    return Checkpoint(NETWORK, {**model.weights, "output_bias": bias}, {}, "")


def test_a_prompt_that_ends_in_mid_word_is_continued_as_the_word() -> None:
    # The network knows only " love": it could not continue " lo", which is another token.
    sampler = Sampler(favouring(**{" love": 5, "END": 3, " ": 0}))
    posts = sampler.generate(
        SamplingConfig(count=20, seed=1, prompt="I lo…", temperature=0.5, mask_mentions=False)
    ).posts
    assert all(post.startswith("I love") for post in posts)


def test_only_what_comes_after_the_prompt_is_surprising(monkeypatch: pytest.MonkeyPatch) -> None:
    drafts: list[Draft] = []

    def judged(draft: Draft) -> float:
        drafts.append(draft)
        return 0.0

    monkeypatch.setattr(place, "judged", judged)
    # " love" is unlikely, but it's the only token here that continues the prompt.
    sampler = Sampler(favouring(**{" love": -9, "END": 0, "x": 0}))
    writing = sampler.generate(SamplingConfig(count=20, seed=1, prompt="I lo…", best_of=2))
    assert len(set(writing.posts)) > 1 and all(post.startswith("I love") for post in writing.posts)
    assert set(writing.posts) <= {draft.post for draft in drafts}
    for draft in drafts:
        # Each x and the end mark has a probability of one half.
        assert sum(draft.surprisals) == pytest.approx((draft.post.count("x") + 1) * math.log(2), rel=1e-3)


def test_a_token_of_several_characters_that_passes_the_limit_leaves_the_post_unfinished() -> None:
    sampler = Sampler(favouring(**{" love": 0, "END": 0, "a": 0}))
    posts = sampler.generate(SamplingConfig(count=60, seed=1, temperature=1, max_characters=6)).posts
    assert {"a", " love", "a love", " lovea"} <= set(posts)
    assert all(len(post) <= 6 for post in posts)


def test_a_greedy_post_without_any_place_to_end_is_left_out() -> None:
    writing = Sampler(favouring(**{" love": 5, "END": 0})).generate(SamplingConfig(temperature=0, max_characters=3))
    assert writing.posts == [] and writing.refused.unfinished == 1


def test_the_same_seed_writes_the_same_posts() -> None:
    config = SamplingConfig(count=5, seed=3, prompt="The ca")
    assert Sampler(random_model()).generate(config) == Sampler(random_model()).generate(config)


def test_the_vocabulary_is_stored_with_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model()
    files.save(tmp_path / "model", network=NETWORK, weights=model.weights, meta={})
    monkeypatch.delitem(registry._loaded, VOCABULARY.name)
    loaded = files.load(tmp_path / "model")
    config = SamplingConfig(count=5, seed=3)
    assert Sampler(loaded).generate(config) == Sampler(model).generate(config)


def test_weights_without_their_vocabulary_or_with_another_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.save(tmp_path / "model", network=NETWORK, weights=random_model().weights, meta={})
    monkeypatch.delitem(registry._loaded, VOCABULARY.name)
    (tmp_path / "model" / files.TOKENIZER).write_text(json.dumps(trained(symbols=400)))
    with pytest.raises(CheckpointError, match=f"not {VOCABULARY.name}"):
        files.load(tmp_path / "model")
    (tmp_path / "model" / files.TOKENIZER).unlink()
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        files.load(tmp_path / "model")


def test_a_stream_continues_from_its_position(tmp_path: Path) -> None:
    path = tmp_path / "posts.txt"
    path.write_text("\n".join(TEXT))
    arguments: dict[str, Any] = {"vocabulary": VOCABULARY, "batch_size": 3, "sequence_length": 8, "seed": 5}
    stream = StreamPacker([path], **arguments)
    for _ in range(7):
        next(stream)
    position = json.loads(json.dumps(stream.position()))
    resumed = StreamPacker([path], **arguments, position=position)
    for _ in range(7):
        ours, theirs = next(stream), next(resumed)
        assert ours.targets.dtype == np.uint16
        np.testing.assert_array_equal(ours.targets, theirs.targets)
        np.testing.assert_array_equal(ours.inputs, theirs.inputs)


@pytest.mark.parametrize(("top_p", "spread"), [(0.5, 4.0), (0.9, 2.0), (0.97, 0.5), (0.999, 0.1)])
def test_top_p_draws_in_proportion_among_the_fewest_of_many_symbols(top_p: float, spread: float) -> None:
    logits = np.random.default_rng(4).normal(0, spread, 5000)
    chances = np.exp(logits) / np.exp(logits).sum()
    order = np.argsort(-chances)
    kept = order[: 1 + int((chances[order].cumsum() < top_p).sum())]
    draws = 4000
    drawn = np.concatenate(
        [
            choose(np.tile(logits.astype(np.float32), (100, 1)), 1.0, 0, np.random.default_rng(seed), top_p=top_p)
            for seed in range(draws // 100)
        ]
    )
    assert set(drawn.tolist()) <= set(kept.tolist())
    # In ten parts of about equal probability, from the most likely symbols on
    shares = chances[kept] / chances[kept].sum()
    part_of = np.minimum((10 * (shares.cumsum() - shares / 2)).astype(int), 9)
    expected = draws * np.bincount(part_of, shares, minlength=10)
    places = {symbol: place for place, symbol in enumerate(kept.tolist())}
    counts = np.bincount(part_of[[places[symbol] for symbol in drawn.tolist()]], minlength=10)
    possible = expected > 0
    chi_square = (((counts - expected) ** 2)[possible] / expected[possible]).sum()
    assert chi_square < 35  # 9 degrees of freedom: one seed in 16,000 is beyond 35


@pytest.mark.parametrize("temperature", [1e-9, 1e-60])
@pytest.mark.parametrize("top_p", [0.9, 1.0])
def test_a_tiny_temperature_takes_the_likeliest_of_many_symbols(temperature: float, top_p: float) -> None:
    logits = np.random.default_rng(1).normal(0, 50, (20, 5000)).astype(np.float32)
    drawn = choose(logits, temperature, 0, np.random.default_rng(0), top_p=top_p)
    np.testing.assert_array_equal(drawn, logits.argmax(axis=1))
