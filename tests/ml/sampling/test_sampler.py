from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.errors import BadSampling
from models_app.ml.networks.registry import kind_of
from models_app.ml.sampling.choosing import FEW, choose
from models_app.ml.sampling.outcome import Writing
from models_app.ml.sampling.sampler import BEGINNING, HOPELESS, WASTE, Sampler
from models_app.ml.vocabulary import UTF8_BYTES
from models_app.ml.vocabulary.utf8_bytes import END
from tests.ml.conftest import favouring, random_checkpoint


def follow(checkpoint: Checkpoint, text: str) -> Any:
    """Return the logits (256,) after the start mark and the text."""
    stepper = kind_of(checkpoint.network).stepper(checkpoint.network, checkpoint.weights)
    state = stepper.start(1)
    for symbol in [END, *UTF8_BYTES.encode(text)]:
        logits, state = stepper.step(np.array([symbol]), state)
    return logits[0]


@pytest.mark.parametrize(("temperature", "top_k"), [(1.0, 0), (0.5, 0), (1.5, 0), (1.0, 5), (0.8, 1)])
def test_symbols_are_drawn_in_proportion_to_their_probabilities(temperature: float, top_k: int) -> None:
    logits = np.random.default_rng(1).normal(0, 1.5, 20)
    logits[3] = -np.inf
    expected = np.exp((logits - logits.max()) / temperature)
    if top_k:
        expected[np.argsort(-logits)[top_k:]] = 0
    expected /= expected.sum()
    draws = 40_000
    drawn = choose(np.tile(logits.astype(np.float32), (draws, 1)), temperature, top_k, np.random.default_rng(2))
    counts = np.bincount(drawn, minlength=20)
    assert (counts[expected == 0] == 0).all()
    possible = expected > 0
    chi_square = (((counts - draws * expected) ** 2)[possible] / (draws * expected)[possible]).sum()
    assert chi_square < 50  # 19 degrees of freedom: one seed in 8,000 is beyond 50


@pytest.mark.parametrize(
    ("top_p", "top_k", "temperature"), [(0.5, 0, 1.0), (0.9, 0, 0.6), (0.9, 5, 1.0), (0.01, 0, 1.0), (0.7, 3, 1.5)]
)
def test_top_p_draws_in_proportion_among_the_fewest_that_have_the_share(
    top_p: float, top_k: int, temperature: float
) -> None:
    logits = np.random.default_rng(4).normal(0, 1.5, 20)
    logits[3] = -np.inf
    chances = np.exp((logits - logits.max()) / temperature)
    order = np.argsort(-chances)
    if top_k:
        chances[order[top_k:]] = 0
    chances /= chances.sum()
    kept = 1 + int((chances[order].cumsum() < top_p).sum())
    expected = chances.copy()
    expected[order[kept:]] = 0
    expected /= expected.sum()
    draws = 40_000
    tiled = np.tile(logits.astype(np.float32), (draws, 1))
    drawn = choose(tiled, temperature, top_k, np.random.default_rng(2), top_p=top_p)
    counts = np.bincount(drawn, minlength=20)
    assert (counts[expected == 0] == 0).all()
    possible = expected > 0
    chi_square = (((counts - draws * expected) ** 2)[possible] / (draws * expected)[possible]).sum()
    assert chi_square < 50


@pytest.mark.parametrize(("top_p", "top_k"), [(1.0, 0), (0.7, 0), (1.0, 90), (0.9, 90)])
def test_in_two_steps_symbols_are_drawn_in_proportion_too(top_p: float, top_k: int) -> None:
    size, draws = FEW + 45, 60_000
    logits = np.random.default_rng(6).normal(0, 1, size)
    logits[70:140] = -np.inf  # a whole group, and parts of others
    chances = np.exp(logits)
    order = np.argsort(-chances)
    if top_k:
        chances[order[top_k:]] = 0
    chances /= chances.sum()
    if top_p < 1:
        chances[order[1 + int((chances[order].cumsum() < top_p).sum()) :]] = 0
        chances /= chances.sum()
    tiled = np.tile(logits.astype(np.float32), (draws, 1))
    drawn = choose(tiled, 1.0, top_k, np.random.default_rng(2), top_p=top_p)
    counts = np.bincount(drawn, minlength=size)
    assert (counts[chances == 0] == 0).all()
    possible = chances > 0
    chi_square = (((counts - draws * chances) ** 2)[possible] / (draws * chances)[possible]).sum()
    degrees = possible.sum() - 1
    assert abs(chi_square - degrees) < 4 * np.sqrt(2 * degrees)


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_few_symbols_are_drawn_as_if_the_others_were_left_out(top_p: float) -> None:
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 3, (500, FEW)).astype(np.float32)
    logits[:, rng.choice(FEW, 200, replace=False)] = -np.inf
    for top_k in (5, 50, 100):
        kept = np.sort(np.argpartition(logits, -top_k, axis=1)[:, -top_k:], axis=1)
        few = choose(np.take_along_axis(logits, kept, axis=1), 0.9, 0, np.random.default_rng(1), top_p=top_p)
        drawn = choose(logits, 0.9, top_k, np.random.default_rng(1), top_p=top_p)
        np.testing.assert_array_equal(drawn, np.take_along_axis(kept, few[:, None], axis=1)[:, 0])


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_symbols_beyond_the_possible_ones_do_not_change_a_draw(top_p: float) -> None:
    rng = np.random.default_rng(3)
    logits = np.full((400, 8 * FEW), -np.inf, np.float32)
    possible = np.sort(rng.choice(8 * FEW, 40, replace=False))
    logits[:, possible] = rng.normal(size=40)
    whole = choose(logits, 0.9, 0, np.random.default_rng(1), top_p=top_p)
    # Which of the barred ones are among the 200 most likely is arbitrary.
    np.testing.assert_array_equal(choose(logits, 0.9, 200, np.random.default_rng(1), top_p=top_p), whole)
    assert set(whole) <= set(possible.tolist())


def test_other_rounding_of_logits_rarely_changes_a_draw() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2.5, (5000, 4096)).astype(np.float32)
    rounded = (logits * (1 + rng.normal(0, 1e-6, logits.shape))).astype(np.float32)
    assert (rounded != logits).any(axis=1).all()
    changed = choose(logits, 0.9, 0, np.random.default_rng(1)) != choose(rounded, 0.9, 0, np.random.default_rng(1))
    # In one step, it would be about ten.
    assert changed.sum() <= 2


def test_top_p_of_one_draws_as_without_it(checkpoint: Checkpoint) -> None:
    logits = np.random.default_rng(5).normal(0, 2, (500, 256)).astype(np.float32)
    whole = choose(logits, 0.8, 0, np.random.default_rng(2))
    np.testing.assert_array_equal(choose(logits, 0.8, 0, np.random.default_rng(2), top_p=1.0), whole)
    sampler = Sampler(checkpoint)
    assert sampler.generate(SamplingConfig(seed=3, top_p=0.5)) != sampler.generate(SamplingConfig(seed=3))


def test_a_tiny_temperature_takes_the_likeliest() -> None:
    logits = np.random.default_rng(1).normal(0, 50, (100, 256)).astype(np.float32)
    drawn = choose(logits, 1e-9, 0, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, logits.argmax(axis=1))


def test_temperature_zero_writes_the_likeliest_post(checkpoint: Checkpoint) -> None:
    config = SamplingConfig(temperature=0, prompt="ab ", max_characters=12, seed=1, mask_mentions=False)
    posts = Sampler(checkpoint).generate(config).posts
    assert len(posts) == 1
    for end in range(3, len(posts[0])):
        wanted = follow(checkpoint, posts[0][:end])
        symbol = UTF8_BYTES.encode(posts[0][end])[0]
        assert wanted[symbol] == pytest.approx(max(wanted[np.r_[10, 32:127, 0xC2:0xF5, END]]), abs=1e-4)


def test_top_k_draws_only_the_k_likeliest() -> None:
    sampler = Sampler(favouring(a=3, b=2.5, END=2, c=1.9, d=1.8))
    posts = sampler.generate(SamplingConfig(count=100, top_k=3, temperature=2, seed=1)).posts
    assert {post[0] for post in posts} == {
        "a",
        "b",
        "c",
    }  # no post is empty, so the end mark isn't one of the three here
    assert set("".join(post[1:] for post in posts)) == {"a", "b"}


def test_the_same_seed_writes_the_same_posts(checkpoint: Checkpoint) -> None:
    sampler = Sampler(checkpoint)
    config = SamplingConfig(count=5, seed=11)
    first = sampler.generate(config)
    np.random.seed(0)
    assert sampler.generate(config) == first
    assert Sampler(checkpoint).generate(config) == first
    assert sampler.generate(SamplingConfig(count=5, seed=12)) != first


def test_without_a_seed_each_call_writes_something_else(checkpoint: Checkpoint) -> None:
    sampler = Sampler(checkpoint)
    assert sampler.generate(SamplingConfig()) != sampler.generate(SamplingConfig())


def test_threads_may_share_a_sampler(checkpoint: Checkpoint) -> None:
    sampler = Sampler(checkpoint)
    expected = [sampler.generate(SamplingConfig(count=3, seed=seed)) for seed in range(8)]
    found: dict[int, Writing] = {}

    def write(seed: int) -> None:
        found[seed] = sampler.generate(SamplingConfig(count=3, seed=seed))

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[seed] for seed in range(8)] == expected


@pytest.mark.parametrize("temperature", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_random_network_writes_only_valid_text_without_control_characters(temperature: float, seed: int) -> None:
    sampler = Sampler(random_checkpoint(seed=seed, scale=1))
    written = sampler.generate(SamplingConfig(count=40, temperature=temperature, seed=seed, max_characters=60))
    assert 0 < len(written.posts) <= 40
    for post in written.posts:
        assert post.encode("utf-8").decode("utf-8") == post
        assert 0 < len(post) <= 60
        assert not [character for character in post if ord(character) < 32 and character != "\n"]
        assert not [character for character in post if 0x7F <= ord(character) < 0xA0]


def test_emoji_in_a_prompt_are_kept_whole(checkpoint: Checkpoint) -> None:
    prompt = "👩🏽‍🚀 \x00é\u0301\t"
    posts = Sampler(checkpoint).generate(SamplingConfig(count=10, prompt=prompt, seed=3)).posts
    assert len(posts) == 10 and all(post.startswith(prompt) for post in posts)


def test_the_prompt_is_read_before_the_first_draw(checkpoint: Checkpoint) -> None:
    sampler = Sampler(checkpoint)
    posts = sampler.generate(SamplingConfig(count=100, prompt="x", temperature=1, seed=0, max_characters=2)).posts
    logits = follow(checkpoint, "x")
    ascii_only = [post[1] for post in posts if len(post) == 2 and post[1] < "\x7f"]
    assert len(set(ascii_only)) > 3
    assert all(np.isfinite(logits[ord(character)]) for character in ascii_only)


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_no_post_is_empty_or_only_the_prompt(temperature: float) -> None:
    sampler = Sampler(favouring(a=0, END=9))
    for prompt in ("", "hi…", "hi "):
        config = SamplingConfig(count=20, seed=1, temperature=temperature, prompt=prompt)
        posts = sampler.generate(config).posts
        begun = prompt.removesuffix("…")
        assert posts and set(posts) <= {f"{begun}a", f"{begun}aa"}


def test_a_prompt_with_nothing_but_space_behind_it_is_drawn_again() -> None:
    sampler = Sampler(favouring(**{" ": 0, "a": 0, "END": 0}))
    writing = sampler.generate(SamplingConfig(count=30, seed=1, prompt="hi"))
    assert len(writing.posts) == 30 and all(post.strip() != "hi" for post in writing.posts)
    assert writing.refused.empty > 0


@pytest.mark.parametrize("greedy", [{"temperature": 0.0}, {"top_k": 1}])
def test_where_all_posts_would_be_the_same_one_is_written(checkpoint: Checkpoint, greedy: dict[str, Any]) -> None:
    told: list[str] = []
    config = SamplingConfig(count=3, **greedy)
    writing = Sampler(checkpoint).generate(config, on_post=lambda _, post: told.append(post))
    assert len(writing.posts) == 1 and told == writing.posts
    assert config.is_greedy and config.posts_to_write == 1


def test_the_draft_that_replaces_a_rejected_one_takes_its_place() -> None:
    sampler = Sampler(favouring(**{" ": 1, "a": 1, "b": 1, "END": 0}))
    told: list[tuple[int, str]] = []
    config = SamplingConfig(count=30, seed=4, temperature=1, banned=("bb",))
    writing = sampler.generate(config, on_post=lambda place, post: told.append((place, post)))
    assert writing.refused.banned > 0 and told != sorted(told)
    assert sorted(told) == list(enumerate(writing.posts))


def test_a_long_post_that_does_not_end_is_given_up_soon() -> None:
    steps: list[None] = []
    sampler = Sampler(favouring(a=0))
    writing = sampler.generate(SamplingConfig(count=10, max_characters=4000), proceed=lambda: steps.append(None))
    assert writing.posts == [] and len(steps) < 4010


def test_blank_posts_are_drawn_again() -> None:
    sampler = Sampler(favouring(**{" ": 0, "a": 0, "END": 2}))
    writing = sampler.generate(SamplingConfig(count=30, seed=1))
    assert len(writing.posts) == 30
    assert all(post.strip() for post in writing.posts)
    assert writing.refused.empty > 0


def test_a_post_that_ends_just_at_the_limit_is_whole() -> None:
    checkpoint = favouring(a=0, END=0)
    posts = Sampler(checkpoint).generate(
        SamplingConfig(count=100, seed=1, temperature=1, prompt="b c ", max_characters=6)
    )
    assert set(posts.posts) == {"b c a", "b c aa"}


def test_a_post_that_does_not_end_is_never_cut_but_left_out() -> None:
    never = Sampler(favouring(a=0)).generate(SamplingConfig(count=3, seed=1, max_characters=20))
    assert never.posts == []
    assert never.refused.unfinished >= 30 and never.refused.total == never.refused.unfinished


@pytest.mark.parametrize(("limit", "most"), [(1, 1350), (10, 750), (280, 50)])
def test_a_limit_that_no_post_keeps_is_soon_given_up(limit: int, most: int) -> None:
    never = Sampler(favouring(a=0)).generate(SamplingConfig(count=50, seed=1, max_characters=limit))
    assert never.posts == [] and 50 <= never.refused.unfinished <= most


def test_a_limit_that_few_posts_keep_costs_no_more_than_these_are_worth() -> None:
    # One in 500 symbols is the end mark, so one draft in a hundred has at most 5 characters.
    few = Sampler(favouring(a=np.log(499), END=0)).generate(
        SamplingConfig(count=100, seed=1, temperature=1, top_p=1, max_characters=5)
    )
    assert 0 < len(few.posts) < 100
    spent = few.refused.unfinished * (5 + BEGINNING)
    assert spent < HOPELESS + WASTE * len(few.posts) + 100 * (5 + BEGINNING)
    # With room for them, each gets its tries.
    many = Sampler(favouring(a=np.log(499), END=0)).generate(
        SamplingConfig(count=100, seed=1, temperature=1, top_p=1, max_characters=280)
    )
    assert len(many.posts) > 95


def test_a_post_that_does_not_end_is_drawn_again() -> None:
    # One in 20 symbols is the end mark, so one post in three is longer than 20 characters.
    writing = Sampler(favouring(a=np.log(19), END=0)).generate(
        SamplingConfig(count=100, seed=1, temperature=1, max_characters=20)
    )
    assert len(writing.posts) == 100 and writing.refused.unfinished > 20
    lengths = np.array([len(post) for post in writing.posts])
    assert lengths.max() <= 20
    # The model ends them itself, so they don't pile up at the limit.
    assert (lengths == 20).sum() < 15


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_no_post_is_cut_in_the_middle_of_a_character(temperature: float, limit: int) -> None:
    # A first byte of four and what may follow it, so only characters of four bytes.
    sampler = Sampler(favouring(**{chr(byte): 0.0 for byte in "😀".encode()}, END=-1))
    posts = sampler.generate(SamplingConfig(count=20, temperature=temperature, seed=1, max_characters=limit)).posts
    assert posts
    for post in posts:
        assert len(post) <= limit and all(len(character.encode()) == 4 for character in post)


def test_a_greedy_post_that_finds_no_end_gets_it_where_the_model_gave_it_the_best_chance() -> None:
    barred = np.r_[0:10, 11:32, 0x7F:0xC2, 0xF5:0xFF]
    for seed in range(20):
        checkpoint = random_checkpoint(seed=seed, scale=1)
        checkpoint.weights["output_bias"][END] -= 10
        checkpoint.weights["output_bias"][0x80:0xFF] = -30  # one byte a character: the path is followed by hand
        text, chances = "", []
        while len(text) < 12:
            logits = follow(checkpoint, text).astype(np.float64)
            logits[barred] = -np.inf
            if not text:
                logits[END] = -np.inf
            chances.append(logits[END] - np.log(np.exp(logits).sum()))
            text += chr(logits.argmax())
        chances.append(
            follow(checkpoint, text)[END] - np.log(np.exp(np.delete(follow(checkpoint, text), barred)).sum())
        )
        expected = text[: int(np.argmax(chances))]
        writing = Sampler(checkpoint).generate(SamplingConfig(count=2, temperature=0, max_characters=12))
        is_post = bool(expected.strip())
        assert (writing.posts, writing.refused.empty) == ([expected] * is_post, int(not is_post)), seed


def test_a_prompt_that_leaves_no_room_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(BadSampling, match="it has 5 characters, and the limit is 5"):
        Sampler(checkpoint).generate(SamplingConfig(prompt="hello", max_characters=5))


def test_a_prompt_with_half_a_surrogate_pair_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(BadSampling, match="surrogate"):
        Sampler(checkpoint).generate(SamplingConfig(prompt="a\ud800"))


@given(
    prompt=st.text(max_size=5),
    temperature=st.sampled_from([0.0, 0.8, 2.0]),
    top_k=st.sampled_from([0, 1, 7]),
    top_p=st.sampled_from([0.2, 1.0]),
    room=st.integers(1, 9),
)
@settings(max_examples=12)
def test_any_settings_give_posts_within_the_limit_that_begin_as_asked(
    prompt: str, temperature: float, top_k: int, top_p: float, room: int
) -> None:
    config = SamplingConfig(
        count=3,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        prompt=prompt,
        max_characters=len(prompt) + room,
        seed=1,
        mask_mentions=False,
    )
    posts = Sampler(random_checkpoint(scale=1)).generate(config).posts
    assert len(posts) <= 3
    for post in posts:
        assert post.startswith(prompt) and len(post) <= len(prompt) + room
        assert post.encode().decode() == post and post.strip()
