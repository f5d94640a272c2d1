"""A learner whose graphs are built while nobody waits: that takes seconds of each training. Imports TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import FineTuneConfig, NetworkConfig
from models_app.ml.networks.mixed_matmul import product_type

from .dataset import Batch
from .learner import Learner
from .machine_speed import Measured, Step
from .tf_threads import available, has_gpu

#: Of the batches that `FineTuneConfig.auto` chooses, and of those that a fine-tune validates.
TRAINED_ROWS: Final = (16, 32)
VALIDATED_ROWS: Final = 64
#: Half a second on two cores that have nothing else to do.
TIMED_STEPS: Final = 6


@dataclass(frozen=True, slots=True)
class _Made:
    """What a learner's graphs depend on, beside the shapes of batches."""

    network: NetworkConfig
    beta_2: float
    clip_norm: float
    hides: bool
    products: str


_lock = Lock()
_asked = Event()  # a training of this process has asked for its learner
_spare: tuple[_Made, Learner] | None = None


def prepare(start: Checkpoint) -> Measured | None:
    """A training from a network of this shape finds its graphs built, if its settings are the usual ones.

    Returns how fast this machine trains, by a few steps of them. Once a training has begun in this process, no further
    graph is built and no step made: it would take the cores from it. Nor on a GPU, whose memory is for those who train.
    """
    global _spare
    if _asked.is_set() or has_gpu():
        return None
    usual = FineTuneConfig.auto(characters=100_000, epochs=2, kind=start.network.kind)
    with _lock:
        if _asked.is_set():  # in the meantime: nobody would ever take what is built now
            return None
        made = _Made(start.network, usual.beta_2, usual.clip_norm, True, product_type())
        learner = Learner(
            start.network,
            start.weights,
            beta_2=made.beta_2,
            clip_norm=made.clip_norm,
            dropout=usual.dropout,
            products=made.products,
        )
        _spare = made, learner
        learner.validate(iter([_blank(VALIDATED_ROWS, usual.sequence_length)]), exact=False)
        for rows in TRAINED_ROWS:
            if _asked.is_set():
                break
            learner.reset(rows)
            learner.train(_blank(rows, usual.sequence_length), learning_rate=0.0)
        return _timed(learner, _blank(TRAINED_ROWS[-1], usual.sequence_length)) if TRAINED_ROWS else None


def _timed(learner: Learner, batch: Batch) -> Measured | None:
    """The steps leave no trace: they move no weight, and whoever is given the learner starts over."""
    steps = []
    for _ in range(TIMED_STEPS):
        if _asked.is_set():
            break
        wall, core = time.perf_counter(), time.process_time()
        _, symbols = learner.train(batch, learning_rate=0.0)
        steps.append(Step(symbols, time.perf_counter() - wall, time.process_time() - core))
    return Measured.of(steps, available()) if steps else None


def learner(
    network: NetworkConfig, weights: Mapping[str, NDArray[Any]], *, beta_2: float, clip_norm: float, dropout: float
) -> Learner:
    """Return a learner with these weights that knows of no step: the spare one where it fits, else a new one.

    Where a graph is just being built, this waits for it.
    """
    global _spare
    _asked.set()
    with _lock:
        found, _spare = _spare, None
    products = product_type()
    if found and found[0] == _Made(network, beta_2, clip_norm, dropout > 0, products):
        ready = found[1]
        ready.dropout = dropout
        ready.start_over(weights)
        return ready
    return Learner(network, weights, beta_2=beta_2, clip_norm=clip_norm, dropout=dropout, products=products)


def _blank(rows: int, length: int) -> Batch:
    symbols = np.zeros((rows, length), np.uint8)
    return Batch(symbols, symbols, np.ones((rows, length), np.float32))
