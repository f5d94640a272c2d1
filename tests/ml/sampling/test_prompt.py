from __future__ import annotations

import numpy as np
import pytest

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import NetworkConfig, SamplingConfig
from models_app.ml.sampling.prompt import Prompt
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.vocabulary.utf8_bytes import UTF8_BYTES
from models_app.ml.words import in_spaced_word
from tests.ml.conftest import TINY, TINY_LSTM_OF_TOKENS, TOKENS, random_checkpoint


@pytest.mark.parametrize(
    ("typed", "text", "goes_on"),
    [
        ("The Moon", "The Moon", False),
        ("in 20", "in 20", False),
        ("é\u0301", "é\u0301", False),
        ("Привет", "Привет", False),
        ("ali…", "ali", True),
        ("ali...", "ali", True),
        ("in 20…", "in 20", True),
        ("anti-", "anti-", True),
        # With a space, a sign or nothing in front, dots and hyphens are just these.
        ("ali… ", "ali… ", None),
        ("Wait, …", "Wait, …", None),
        ("Well....", "Well....", None),
        ("…", "…", None),
        ("...", "...", None),
        ("tea -", "tea -", None),
        ("-", "-", None),
        ("", "", None),
        ("The Moon ", "The Moon ", None),
        ("Oh!", "Oh!", None),
        ("🐈", "🐈", None),
        ("hi @", "hi @", None),
        # Words that no spaces separate go on as they like.
        ("東京の猫", "東京の猫", None),
        ("下…", "下…", None),
        ("人々", "人々", None),
        ("ｶﾀｶﾅ", "ｶﾀｶﾅ", None),
        ("สวัสดี", "สวัสดี", None),
    ],
)
def test_a_word_at_the_end_is_whole_unless_dots_or_a_hyphen_let_it_go_on(
    typed: str, text: str, goes_on: bool | None
) -> None:
    prompt = Prompt.of(typed, UTF8_BYTES)
    assert (prompt.text, prompt.goes_on, prompt.whole) == (text, goes_on, text.encode())


def test_the_network_reads_a_whole_word_and_draws_again_one_that_goes_on() -> None:
    begun = [Prompt.of(typed, TOKENS).begun for typed in ("über alles", "über-", "über alles…", "über ")]
    assert begun[:2] == ["über alles".encode(), "über-".encode()]
    assert begun[2:] == ["über".encode(), "über".encode()]


@pytest.mark.parametrize("network", [TINY, TINY_LSTM_OF_TOKENS], ids=["bytes", "tokens"])
@pytest.mark.parametrize("temperature", [0.0, 2.0])
@pytest.mark.parametrize("typed", ["Moon", "Ünï", "7", "Привет", "한국", "Moon…", "Привет...", "20…", "한국…", "Ünï-"])
def test_no_bot_breaks_the_last_word_or_ends_one_that_goes_on(
    network: NetworkConfig, temperature: float, typed: str
) -> None:
    prompt = Prompt.of(typed, UTF8_BYTES)
    config = SamplingConfig(count=40, seed=1, temperature=temperature, prompt=typed, max_characters=60)
    posts = Sampler(loud(network)).generate(config).posts
    assert posts and all(post.startswith(prompt.text) for post in posts)
    assert {in_spaced_word(post[len(prompt.text)]) for post in posts} == {prompt.goes_on}


def loud(network: NetworkConfig) -> Checkpoint:
    """A random network whose posts end, and that writes letters of other scripts and emoji as often as others."""
    made = random_checkpoint(network, seed=5, scale=1)
    made.weights["output_bias"][np.r_[0x80:0xF5]] += 4
    made.weights["output_bias"][TOKENS.end if network.vocabulary == TOKENS.name else UTF8_BYTES.end] += 6
    return made
