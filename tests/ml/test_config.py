from __future__ import annotations

from typing import Any

import pytest

from models_app.ml.config import (
    FineTuneConfig,
    NetworkConfig,
    PretrainConfig,
    SamplingConfig,
    default_epochs_for,
    traits_of,
)


@pytest.mark.parametrize(
    "config",
    [
        NetworkConfig(units=32),
        FineTuneConfig.auto(characters=5000, epochs=3),
        PretrainConfig(seed=4),
        SamplingConfig(prompt="hé", banned=("a", "b c"), top_p=0.9, copy_guard=False),
    ],
)
def test_a_config_survives_json(config: Any) -> None:
    assert type(config).from_dict(config.as_dict()) == config


def test_unknown_settings_are_named() -> None:
    with pytest.raises(ValueError, match="has no depth, width"):
        NetworkConfig.from_dict({"units": 8, "depth": 2, "width": 3})


def test_missing_settings_are_named() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        FineTuneConfig.from_dict({"epochs": 2})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"count": 0}, "count must be a whole number from 1 to 100"),
        ({"count": True}, "count"),
        ({"temperature": 2.1}, "temperature must be a number from 0 to 2"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_k": -1}, "top_k"),
        ({"prompt": 3}, "prompt must be text"),
        ({"seed": 1.5}, "seed"),
        ({"max_characters": 4001}, "max_characters"),
        ({"top_p": 0}, "top_p must be a number above 0 and at most 1"),
        ({"top_p": 1.1}, "top_p"),
        ({"banned": "word"}, "banned must be a list"),
        ({"banned": ["x"] * 201}, "up to 200"),
        ({"banned": [" "]}, "1 to 100 characters"),
        ({"banned": ["x" * 101]}, "1 to 100 characters"),
        ({"banned": [3]}, "1 to 100 characters"),
        ({"copy_guard": 1}, "copy_guard must be true or false"),
        ({"mask_mentions": "no"}, "mask_mentions"),
    ],
)
def test_bad_sampling_settings_are_refused_with_a_sentence(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SamplingConfig(**values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"learning_rate": 0}, "learning_rate must be a number above 0"),
        ({"epochs": 0}, "epochs"),
        ({"dropout": 0.95}, "dropout"),
        ({"learning_rat": 0.1}, "has no learning_rat"),
    ],
)
def test_bad_training_settings_are_refused_with_a_sentence(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FineTuneConfig.from_dict(FineTuneConfig.auto(characters=9000, epochs=1).as_dict() | values)


def test_an_unknown_kind_of_network_is_refused() -> None:
    with pytest.raises(ValueError, match="no network of kind 'gru'"):
        NetworkConfig.from_dict({"kind": "gru"})


def test_auto_takes_smaller_batches_for_smaller_corpora_and_more_dropout_for_more_epochs() -> None:
    large = FineTuneConfig.auto(characters=450_000, epochs=3, kind="lstm")
    small = FineTuneConfig.auto(characters=4_000, epochs=3, kind="lstm")
    assert (large.batch_size, small.batch_size) == (32, 8)
    assert large.dropout == 0.1
    assert FineTuneConfig.auto(characters=450_000, epochs=8, kind="lstm").dropout == 0.2


def test_the_less_there_is_and_the_oftener_it_is_read_the_smaller_are_the_steps_of_the_larger_kind() -> None:
    large, small = (FineTuneConfig.auto(characters=n, epochs=3, kind="glr") for n in (450_000, 4_000))
    assert (large.batch_size, small.batch_size) == (32, 16)
    rates = [FineTuneConfig.auto(characters=n, epochs=2).learning_rate for n in (10**9, 160_000, 70_000, 1)]
    assert rates == [0.004, 0.0026, 0.0016, 0.0008]
    often = [FineTuneConfig.auto(characters=160_000, epochs=epochs) for epochs in (1, 2, 3, 10)]
    assert [config.learning_rate for config in often] == [0.004, 0.0026, 0.0021, 0.0026]
    assert [config.dropout for config in often] == [0.03, 0.06, pytest.approx(0.09), 0.06]
    # Ten epochs are five rounds of two.
    assert [(config.epochs, config.rounds) for config in often] == [(1, 1), (2, 1), (3, 1), (10, 5)]
    one = FineTuneConfig.auto(characters=160_000, epochs=10, rounds=1)
    assert (one.rounds, one.learning_rate, one.dropout) == (1, 0.001, 0.2)
    assert FineTuneConfig.auto(characters=160_000, epochs=10, kind="lstm").rounds == 1


@pytest.mark.parametrize("rounds", [0, 1001, 1.5, True, "2"])
def test_rounds_that_cannot_be_are_refused(rounds: Any) -> None:
    with pytest.raises(ValueError, match="rounds must be a whole number from 1 to 1,000"):
        FineTuneConfig.auto(characters=160_000, epochs=3, rounds=rounds)


def test_each_round_has_an_epoch_at_least() -> None:
    config = FineTuneConfig.auto(characters=160_000, epochs=3, rounds=7)
    assert (config.rounds, config) == (3, FineTuneConfig.auto(characters=160_000, epochs=3, rounds=3))
    with pytest.raises(ValueError, match="rounds must be a whole number from 1 to 3"):
        FineTuneConfig.from_dict(config.as_dict() | {"rounds": 4})


def test_auto_lets_the_person_decide() -> None:
    config = FineTuneConfig.auto(characters=4_000, epochs=2, seed=3, batch_size=64, learning_rate=0.01)
    assert (config.batch_size, config.learning_rate, config.seed) == (64, 0.01, 3)


@pytest.mark.parametrize(
    ("characters", "epochs"),
    [(0, 8), (9_000, 8), (17_629, 6), (71_973, 3), (126_392, 2), (999_999, 2), (1_000_000, 1), (10**9, 1)],
)
def test_a_small_corpus_is_read_more_often_than_a_large_one(characters: int, epochs: int) -> None:
    assert default_epochs_for(characters) == epochs


def test_a_window_of_tokens_is_as_long_as_one_of_bytes_and_so_there_are_fewer_steps() -> None:
    of_bytes, of_tokens = (FineTuneConfig.auto(characters=160_000, epochs=2, tokens=tokens) for tokens in (False, True))
    assert (of_bytes.sequence_length, of_tokens.sequence_length) == (64, 32)
    assert of_tokens.learning_rate == of_bytes.learning_rate and of_tokens.batch_size == 32
    # 7,000 characters are about 2,500 tokens: 9 steps.
    few = FineTuneConfig.auto(characters=7_000, epochs=2, tokens=True)
    assert (few.batch_size, few.warmup_steps) == (16, 0)
    assert FineTuneConfig.auto(characters=160_000, epochs=2, tokens=True, sequence_length=48).sequence_length == 48


@pytest.mark.parametrize(
    ("network", "tokens"),
    [
        ({"kind": "glr", "vocabulary": "bpe-0123456789abcdef"}, True),
        ({"kind": "glr", "vocabulary": "utf8-bytes"}, False),
        # Written before networks had vocabularies.
        ({"kind": "lstm"}, False),
        ({"kind": "llama", "vocabulary": "bpe-0123456789abcdef"}, False),
    ],
)
def test_networks_of_tokens_are_told_from_others(network: dict[str, Any], tokens: bool) -> None:
    assert traits_of(network) == {"kind": network["kind"], "tokens": tokens}
