from __future__ import annotations

import numpy as np
import pytest

from benchmarks import fine_tune, stock
from benchmarks.contenders import (
    KERAS_BETA_2,
    TUTORIAL_RATE,
    UNCLIPPED,
    contenders,
)
from benchmarks.fine_tune import Row, summary
from benchmarks.personas import Persona
from benchmarks.results import Outcome
from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import default_epochs_for
from models_app.ml.networks.registry import kind_of
from models_app.ml.training.dataset import Batch
from models_app.ml.training.learner import Learner
from models_app.training import planning

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


@pytest.mark.parametrize("characters", [5_000, 150_000, 400_000])
def test_what_is_measured_is_what_the_product_offers(characters: int) -> None:
    base = Checkpoint(TINY_GLR, {}, {}, "")
    options = fine_tune._options(["someone.jsonl"])
    known = contenders(base, base, epochs=options.epochs, tutorial_epochs=options.tutorial_epochs)
    persona = Persona("someone", 3, ("a" * characters,), ("b",), ("c",))
    assert persona.characters == pytest.approx(characters, abs=2)
    offered = planning.training_config(persona.characters, default_epochs_for(persona.characters), 4, {}, kind="glr")
    assert known["default"].depends_on(persona, 4)["config"] == offered.as_dict()


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
