"""Fine-tunes in several rounds."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import FineTuneConfig, SamplingConfig
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.training.dataset import epoch_batches
from models_app.ml.training.learner import Learner
from models_app.ml.training.schedule import learning_rate
from models_app.ml.vocabulary import UTF8_BYTES
from tests.ml.conftest import TINY
from tests.ml.training.tuning import CONFIG, TRAIN, VALIDATION, tune

pytestmark = pytest.mark.usefixtures("quick_trainings", "whole_numbers")


def learned(start: Checkpoint, config: FineTuneConfig, epochs: list[int], *, of: int) -> dict[str, Any]:
    """The weights after these epochs, the first ones of a round of so many, step by step."""
    learner = Learner(TINY, start.weights, beta_2=config.beta_2, clip_norm=config.clip_norm, dropout=config.dropout)
    posts, step = [UTF8_BYTES.encode(post) for post in TRAIN], 0
    for place, epoch in enumerate(epochs):
        steps, batches = epoch_batches(
            posts, vocabulary=UTF8_BYTES, batch_size=4, sequence_length=5, seed=config.seed, epoch=epoch
        )
        learner.reset(4)
        for number, batch in enumerate(batches):
            rate = learning_rate(
                peak=config.learning_rate,
                final=config.final_learning_rate,
                warmup_steps=config.warmup_steps,
                step=step,
                fraction=(place + number / steps) / of,
            )
            learner.train(batch, learning_rate=rate, seed=(config.seed * 7919 + epoch, number))
            step += 1
    return learner.weights()


def test_rounds_begin_anew_and_the_mean_of_their_weights_is_what_counts(start: Checkpoint, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, epochs=5, rounds=3)
    result = tune(start, tmp_path, config=config)
    # Five epochs in three rounds: two, two and one. After each epoch, the mean with the finished rounds counts.
    first, second, third = (learned(start, config, epochs, of=len(epochs)) for epochs in ([1, 2], [3, 4], [5]))
    half_first, half_second = (learned(start, config, epochs, of=2) for epochs in ([1], [3]))
    means = [
        {name: sum(weights[name] for weights in parts) / len(parts) for name in start.weights}
        for parts in ([half_first], [first], [first, half_second], [first, second], [first, second, third])
    ]
    models = [Checkpoint(TINY, weights, {}, "") for weights in means]
    measured = [evaluate(model, VALIDATION).bits_per_character for model in models]
    assert [entry.samples for entry in result.history] == [
        tuple(Sampler(model).generate(SamplingConfig(count=2, seed=config.seed + epoch)).posts)
        for epoch, model in enumerate(models, start=1)
    ]
    assert [entry.bits_per_character for entry in result.history] == pytest.approx(measured, rel=1e-4)
    best = means[result.kept_epoch - 1]
    for name, array in result.weights.items():
        expected = start.weights[name] + result.interpolation * (best[name] - start.weights[name])
        np.testing.assert_allclose(array, expected, atol=1e-4, err_msg=name)


def test_the_mean_is_what_is_kept_where_a_later_round_is_best(
    start: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two rounds of an epoch each; the start, the epochs, then part of the way back.
    losses = iter([5.0, 4.0, 3.0, 6.0])
    monkeypatch.setattr(Learner, "validate", lambda *_, **__: (next(losses), 1.0))
    config = dataclasses.replace(CONFIG, epochs=2, rounds=2)
    result = tune(start, tmp_path, config=config)
    assert (result.kept_epoch, result.interpolation) == (2, 1)
    first, second = (learned(start, config, [epoch], of=1) for epoch in (1, 2))
    for name, array in result.weights.items():
        np.testing.assert_allclose(array, (first[name] + second[name]) / 2, atol=1e-5, err_msg=name)
