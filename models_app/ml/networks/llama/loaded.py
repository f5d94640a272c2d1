"""The pretrained models and graphs of this process, each built once for all its bots. Imports TensorFlow."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Any

from models_app.ml.networks.mixed_matmul import product_type

from .config import LlamaConfig
from .network import frozen_tensors
from .store import LIBRARY
from .tf_decoder import TfDecoder

_building = Lock()


def frozen_of(pretrained: str) -> dict[str, Any]:
    """Return the frozen weights as tensors, by the sha256 of the publisher's file. Raises PretrainedError."""
    with _building:
        return _frozen(pretrained, product_type())


def decoder(config: LlamaConfig) -> TfDecoder:
    """Return the decoder in TensorFlow. Raises PretrainedError if the pretrained model isn't there."""
    with _building:
        return _decoder(config, product_type())


@lru_cache(maxsize=2)
def _frozen(pretrained: str, products: str) -> dict[str, Any]:
    return frozen_tensors(LIBRARY.get(pretrained).weights, products)


@lru_cache(maxsize=2)
def _decoder(config: LlamaConfig, products: str) -> TfDecoder:
    return TfDecoder(config, _frozen(config.pretrained, products))
