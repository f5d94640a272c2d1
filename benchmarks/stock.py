"""The tutorial's network in stock Keras: embedding, `LSTM(stateful=True)`, dense. Imports TensorFlow."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models_app.ml.training.dataset import Batch
from models_app.ml.vocabulary.utf8_bytes import END, SIZE

from .common import say
from .personas import Persona, characters_and_marks, joined

TEMPERATURE = 0.8


def stock_model(rows: int, length: int | None, *, embedding: int, units: int) -> Any:
    """Return the compiled model for batches (rows, length); it answers with logits and keeps its state."""
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(rows, length)),
            keras.layers.Embedding(SIZE, embedding),
            keras.layers.LSTM(units, return_sequences=True, stateful=True),
            keras.layers.Dense(SIZE),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.001), loss=loss)
    return model


def take_weights(model: Any, weights: Mapping[str, NDArray[Any]]) -> None:
    """Set the weights of an "lstm" checkpoint. Keras has the gates in the same order."""
    embedding, lstm, dense = model.layers
    embedding.set_weights([weights["embedding"]])
    lstm.set_weights([weights["kernel"], weights["recurrent"], weights["bias"]])
    dense.set_weights([weights["output_kernel"], weights["output_bias"]])


def training_work(batches: Sequence[Batch], *, embedding: int, units: int) -> Callable[[], None]:
    """Return a function that trains one step on each batch with `train_on_batch`."""
    rows, length = batches[0].inputs.shape
    model = stock_model(rows, length, embedding=embedding, units=units)
    pairs = [(batch.inputs.astype(np.int32), batch.targets.astype(np.int32)) for batch in batches]

    def work() -> None:
        for inputs, targets in pairs:
            model.train_on_batch(inputs, targets)

    return work


def predict_work(weights: Mapping[str, NDArray[Any]], characters: int) -> Callable[[], None]:
    """Return a function that writes one post of this length with `model.predict` per character, as in the tutorial."""
    model = stock_model(1, 1, embedding=weights["embedding"].shape[1], units=weights["recurrent"].shape[0])
    take_weights(model, weights)
    rng = np.random.default_rng(0)

    def work() -> None:
        symbol = END
        for _ in range(characters):
            logits = model.predict(np.array([[symbol]]), verbose=0)[0, 0] / TEMPERATURE
            shares = np.exp(logits - logits.max(), dtype=np.float64)
            symbol = int(rng.choice(SIZE, p=shares / shares.sum()))

    return work


def function_work(weights: Mapping[str, NDArray[Any]], rows: int, characters: int) -> Callable[[], None]:
    """Return a function that writes `rows` posts of this length with one call of a tf.function per character."""
    model = stock_model(rows, 1, embedding=weights["embedding"].shape[1], units=weights["recurrent"].shape[0])
    take_weights(model, weights)

    @tf.function  # type: ignore[untyped-decorator]
    def following(symbols: Any) -> Any:
        return tf.random.categorical(model(symbols)[:, 0] / TEMPERATURE, 1)

    def work() -> None:
        symbols = tf.fill((rows, 1), tf.constant(END, tf.int64))
        for _ in range(characters):
            symbols = following(symbols)
            symbols.numpy()  # a program wants each character

    return work


@dataclass(frozen=True, slots=True)
class StockRun:
    """seconds: of building and training; bits: per character of the test posts, after the last epoch."""

    seconds: float
    validation_by_epoch: list[float]
    bits: float


def stock_tutorial(
    persona: Persona, *, epochs: int, rows: int, length: int, weights: Mapping[str, NDArray[Any]]
) -> StockRun:
    """Return the tutorial's training in stock Keras: Adam at 0.001, the posts as one text, no stop.

    Validation and test posts also run through the stateful network as one text, as in the tutorial.
    """
    embedding, units = weights["embedding"].shape[1], weights["recurrent"].shape[0]
    begun = time.perf_counter()
    model = stock_model(rows, None, embedding=embedding, units=units)
    take_weights(model, weights)
    train = _in_rows(joined(persona.train), rows)
    seconds, by_epoch = time.perf_counter() - begun, []
    for epoch in range(1, epochs + 1):
        begun = time.perf_counter()
        _forget(model)
        for inputs, targets in _windows(train, length):
            model.train_on_batch(inputs, targets)
        seconds += time.perf_counter() - begun
        by_epoch.append(_bits(model, persona.validation, rows, length))
        say(f"  stock Keras, epoch {epoch} of {epochs}: {seconds:.0f} s, {by_epoch[-1]:.3f} bits")
    return StockRun(seconds, by_epoch, _bits(model, persona.test, rows, length))


def _bits(model: Any, posts: Sequence[str], rows: int, length: int) -> float:
    """Return bits per character of the posts, from zero state."""
    _forget(model)
    symbols = joined(posts)
    text = _in_rows(symbols, rows)
    loss = math.nan
    for inputs, targets in _windows(text, min(length, text.shape[1] - 1)):
        loss = float(model.test_on_batch(inputs, targets))  # Keras returns the mean since the last reset
    return loss / math.log(2) * len(symbols) / characters_and_marks(posts)


def _forget(model: Any) -> None:
    model.reset_metrics()
    model.layers[1].reset_state()


def _in_rows(symbols: bytes, rows: int) -> NDArray[np.int32]:
    """Return the text cut into rows of equal length. Raise ValueError if a row would have fewer than two symbols."""
    length = len(symbols) // rows
    if length < 2:
        raise ValueError(f"{len(symbols)} symbols are too few for {rows} rows.")
    return np.frombuffer(symbols[: rows * length], np.uint8).reshape(rows, length).astype(np.int32)


def _windows(text: NDArray[np.int32], length: int) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
    for start in range(0, text.shape[1] - length, length):
        yield text[:, start : start + length], text[:, start + 1 : start + length + 1]
