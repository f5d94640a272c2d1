from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import benchmarks.contenders
from benchmarks import fine_tune, stock
from benchmarks.contenders import (
    KERAS_BETA_2,
    TUTORIAL_RATE,
    UNCLIPPED,
    MixedIn,
    Ours,
    contenders,
)
from benchmarks.fine_tune import Row, summary
from benchmarks.generation import EndsAt, ExactSampler
from benchmarks.personas import BaseCorpus, Persona
from benchmarks.posts import made_posts
from benchmarks.results import Outcome
from benchmarks.rivals import code_length
from models_app import trainings
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import MAX_EPOCHS, NetworkConfig, SamplingConfig, default_epochs_for
from models_app.ml.networks.registry import kind_of
from models_app.ml.training import prebuilt
from models_app.ml.training.dataset import Batch, stream_posts
from models_app.ml.training.learner import Learner
from models_app.ml.vocabulary import UTF8_BYTES

from .conftest import TINY_GLR, TINY_LSTM


def test_the_tutorials_recipe_takes_the_very_steps_of_stock_keras() -> None:
    weights = kind_of(TINY_LSTM).first_weights(TINY_LSTM, 0)
    text = np.random.default_rng(0).integers(97, 123, (3, 4, 6)).astype(np.uint8)  # no end mark, which resets ours
    model = stock.stock_model(4, 5, embedding=TINY_LSTM.embedding, units=TINY_LSTM.units)
    stock.take_weights(model, weights)
    learner = Learner(TINY_LSTM, weights, beta_2=KERAS_BETA_2, clip_norm=UNCLIPPED, products="float32")
    learner.reset(4)
    for part in text:
        batch = Batch(part[:, :-1], part[:, 1:], np.ones((4, 5), np.float32))
        learner.train(batch, learning_rate=TUTORIAL_RATE)
        model.train_on_batch(batch.inputs.astype(np.int32), batch.targets.astype(np.int32))
        # Keras' Adam treats the sparse gradient of an embedding differently. Everything else must be the same.
        model.layers[0].set_weights([learner.weights()["embedding"]])
    found = learner.weights()
    for name, layer, place in (("kernel", 1, 0), ("recurrent", 1, 1), ("bias", 1, 2), ("output_kernel", 2, 0)):
        np.testing.assert_allclose(found[name], model.layers[layer].get_weights()[place], atol=2e-5)
        assert np.abs(found[name] - weights[name]).max() > 1e-3


def test_graphs_of_one_that_has_waited_are_built_before_its_clock_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    now, graphs = [0.0], []
    give, prepare = prebuilt.learner, prebuilt.prepare

    def giving(*given: Any, **named: Any) -> Any:
        made = give(*given, **named)
        graphs.append(made._step.experimental_get_tracing_count())
        return made

    def preparing(start: Checkpoint) -> None:
        prepare(start)
        now[0] += 1000

    monkeypatch.setattr(prebuilt, "learner", giving)
    monkeypatch.setattr(prebuilt, "prepare", preparing)
    monkeypatch.setattr(benchmarks.contenders, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    posts = tuple(made_posts(30))
    persona = Persona("someone", 30, posts[:24], posts[24:27], posts[27:])
    base = Checkpoint(TINY_GLR, kind_of(TINY_GLR).first_weights(TINY_GLR, 0), {}, "")
    for seed in range(2):  # each training in a process that has waited
        assert Ours(base, 1, waited=True).run(persona, seed).seconds == 0
    Ours(base, 1).run(persona, 0)
    assert graphs == [2, 2, 0] and now == [2000]


def test_code_length_is_counted_by_hand() -> None:
    # Two posts of 2 and 1 characters: 5 symbols with their end marks, one of them of two bytes.
    assert code_length(np.array([0.5, 0.25, 0.5, 0.5, 0.5, 1.0]), ["aé", "b"]) == pytest.approx(6 / 5)


@pytest.mark.parametrize("characters", [5_000, 150_000, 400_000])
def test_what_is_measured_is_what_the_product_offers(characters: int) -> None:
    base = Checkpoint(TINY_GLR, {}, {}, "")
    options = fine_tune._options(["someone.jsonl"])
    known = contenders(
        base, base, base_megabytes=1, epochs=options.epochs, better_epochs=options.better_epochs, tutorial_epochs=10
    )
    persona = Persona("someone", 3, ("a" * characters,), ("b",), ("c",))
    assert persona.characters == pytest.approx(characters, abs=2)
    for name, epochs in (("default", default_epochs_for(persona.characters)), ("better", MAX_EPOCHS)):
        offered = trainings.training_config(persona.characters, epochs, 4, {}, kind="glr")
        assert known[name].depends_on(persona, 4)["config"] == offered.as_dict(), name


def test_a_trial_is_the_default_but_for_what_is_set() -> None:
    base = Checkpoint(TINY_GLR, {}, {}, "")
    known = contenders(
        base,
        base,
        base_megabytes=1,
        epochs=0,
        better_epochs=10,
        tutorial_epochs=10,
        trial_epochs=3,
        trial_settings={"dropout": 0.5},
    )
    persona = Persona("someone", 3, ("a" * 100_000,), ("b",), ("c",))
    expected = trainings.training_config(persona.characters, 3, 4, {"dropout": 0.5}, kind="glr").as_dict()
    assert known["trial"].depends_on(persona, 4)["config"] == expected
    assert expected["dropout"] == 0.5 != known["default"].depends_on(persona, 4)["config"]["dropout"]


def test_posts_mixed_in_are_different_ones_by_chance_and_as_many_characters_as_are_asked_for(
    base_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = BaseCorpus(0.03)
    of_corpus = list(stream_posts([base_corpus]))
    chosen = corpus.some_posts(2000, 1)
    assert 2000 <= sum(map(len, chosen)) < 2000 + max(map(len, of_corpus))
    assert set(chosen) <= set(of_corpus)
    assert chosen == corpus.some_posts(2000, 1) != corpus.some_posts(2000, 2)
    everything = corpus.some_posts(10**6, 1)
    assert sorted(everything) == sorted(of_corpus[: len(everything)]) != list(everything)

    learned: list[str] = []

    def fine_tune(*, train: list[str], **_: object) -> None:
        learned.extend(train)

    monkeypatch.setattr("benchmarks.contenders.fine_tune", fine_tune)
    persona = Persona("someone", 3, ("a" * 4000,), ("b",), ("c",))
    Ours(Checkpoint(TINY_GLR, {}, {}, ""), 1, mixed_in=MixedIn(corpus, 0.5)).learned(persona, 1)
    assert learned == [*persona.train, *chosen]


def test_the_summary_is_the_mean_of_the_personas_ratios() -> None:
    persona = Persona("someone", 3, ("a",), ("b",), ("c",))

    def row(ours: list[float], tutorial: float) -> Row:
        outcomes = {"default": [Outcome(bits, bits, 2.0, 3) for bits in ours]}
        return Row(persona, outcomes | {"tutorial": [Outcome(tutorial, 1.0, 10.0, 10)]})

    found = summary([row([1.0, 2.0], 2.0), row([2.0], 1.6)], ["default", "tutorial"])
    assert found["means"]["default"]["bits"] == pytest.approx(1.75)
    assert found["means"]["tutorial"] == {"bits": pytest.approx(1.8), "validation_bits": 1, "seconds": 10, "epochs": 10}
    assert found["default_against"] == {"default": 0, "tutorial": pytest.approx(0)}  # 25 % below, 25 % above
    assert found["default_not_worse"] == {"default": 2, "tutorial": 1}


@pytest.mark.parametrize("letter", ["a", "é", "👋"])
def test_posts_of_an_exact_length_end_there(letter: str) -> None:
    network = NetworkConfig(embedding=4, units=8)
    weights = {name: np.zeros_like(array) for name, array in kind_of(network).first_weights(network, 0).items()}
    weights["output_bias"][list(letter.encode())] = 20
    sampler = ExactSampler(Checkpoint(network, weights, {}, ""), 7)
    posts = sampler.generate(SamplingConfig(count=3, seed=0, max_characters=7)).posts
    assert [len(post) for post in posts] == [7] * 3
    assert [len(post.encode()) for post in posts] == [7 * len(letter.encode())] * 3


def test_rows_count_their_characters_each_for_itself() -> None:
    network = NetworkConfig(embedding=4, units=8)
    inner = kind_of(network).stepper(network, kind_of(network).first_weights(network, 0))
    stepper = EndsAt(inner, UTF8_BYTES, 2)
    logits, state = stepper.step(np.array([0xFF, 0xFF]), stepper.start(2))
    for symbols in (b"aa", b"b\xc3", b"b\xa9"):
        logits, state = stepper.step(np.frombuffer(symbols, np.uint8), state)
    assert state[-1].tolist() == [3, 2]
    assert (logits[:, 0xFF] > 1e8).all()
