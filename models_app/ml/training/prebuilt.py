"""A learner with graphs built ahead, while nobody waits. Building takes seconds per training. Imports TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import FineTuneConfig, NetworkConfig, traits_of
from models_app.ml.networks.mixed_matmul import has_gpu, product_type
from models_app.ml.networks.processor import available
from models_app.ml.networks.registry import small_network
from models_app.ml.vocabulary import vocabulary_of

from .dataset import Batch
from .learner import Learner
from .machine_speed import Step, symbols_per_second

#: The batch sizes that `FineTuneConfig.auto` chooses, and the batch size of validation.
TRAINED_ROWS: Final = (16, 32)
VALIDATED_ROWS: Final = 64
#: Takes half a second on two idle cores.
TIMED_STEPS: Final = 6


class Begun(Exception):
    """A training has begun, so what was done ahead ends."""


@dataclass(frozen=True, slots=True)
class _Made:
    """The settings that a learner's graphs depend on, apart from the batch shapes."""

    network: NetworkConfig
    beta_2: float
    clip_norm: float
    has_dropout: bool
    products: str


_lock = Lock()
_asked = Event()  # a training in this process has requested its learner
_spare: tuple[_Made, Learner] | None = None


def prepare(start: Checkpoint) -> float | None:
    """Build the graphs ahead for a training with this network and default settings; return its symbols per second.

    Stops once a training in this process has begun, so as not to take its cores. Does nothing on a GPU, whose memory
    belongs to the trainings. Returns None if nothing was measured.
    """
    global _spare
    if _asked.is_set() or has_gpu():
        return None
    network = small_network(start.network)
    usual = FineTuneConfig.auto(characters=100_000, epochs=2, **traits_of(network.as_dict()))
    with _lock:
        if _asked.is_set():  # meanwhile: nobody would use the graphs
            return None
        made = _Made(network, usual.beta_2, usual.clip_norm, True, product_type())
        learner = Learner(
            network,
            start.weights,
            beta_2=made.beta_2,
            clip_norm=made.clip_norm,
            dropout=usual.dropout,
            products=made.products,
        )
        _spare = made, learner
        learner.validate(iter([_blank(network, VALIDATED_ROWS, usual.sequence_length)]), exact=False)
        for rows in TRAINED_ROWS:
            if _asked.is_set():
                break
            learner.reset(rows)
            learner.train(_blank(network, rows, usual.sequence_length), learning_rate=0.0)
        return _timed(learner, _blank(network, TRAINED_ROWS[-1], usual.sequence_length)) if TRAINED_ROWS else None


def stand_back() -> None:
    """Say that a training begins in this process: what is done ahead would take its cores."""
    _asked.set()


def give_way() -> None:
    """Raise Begun if a training has begun in this process."""
    if _asked.is_set():
        raise Begun


def _timed(learner: Learner, batch: Batch) -> float | None:
    """Return the symbols per second. The steps don't change weights, and the learner starts over before its use."""
    steps = []
    for _ in range(TIMED_STEPS):
        if _asked.is_set():
            break
        wall, core = time.perf_counter(), time.process_time()
        _, symbols = learner.train(batch, learning_rate=0.0)
        steps.append(Step(symbols, time.perf_counter() - wall, time.process_time() - core))
    return symbols_per_second(steps, available()) if steps else None


def learner(
    network: NetworkConfig, weights: Mapping[str, NDArray[Any]], *, beta_2: float, clip_norm: float, dropout: float
) -> Learner:
    """Return a fresh learner with these weights: the prebuilt one if it fits, else a new one.

    Waits for a graph that is being built.
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


def _blank(network: NetworkConfig, rows: int, length: int) -> Batch:
    symbols = np.zeros((rows, length), vocabulary_of(network).dtype)
    return Batch(symbols, symbols, np.ones((rows, length), np.float32))
