"""The learner of this process, kept between trainings: building its graphs takes seconds. Imports TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.loaded import frozen_of
from models_app.ml.networks.mixed_matmul import product_type

from .learner import AdapterLearner


@dataclass(frozen=True, slots=True)
class _Made:
    """The settings that a learner's graphs depend on, apart from the batch shapes."""

    network: LlamaConfig
    beta_2: float
    clip_norm: float
    products: str


_lock = Lock()
_kept: tuple[_Made, AdapterLearner] | None = None


def learner_for(network: LlamaConfig, *, beta_2: float, clip_norm: float) -> AdapterLearner:
    """Return the kept learner if it fits, else a new one, which is kept. One training at a time may use it.

    Its weights and its optimizer are those of the training before: call `start_over`.
    """
    global _kept
    made = _Made(network, beta_2, clip_norm, product_type())
    with _lock:
        if _kept is None or _kept[0] != made:
            _kept = None  # frees the memory first
            _kept = made, AdapterLearner(network, frozen_of(network.pretrained), beta_2=beta_2, clip_norm=clip_norm)
        return _kept[1]
