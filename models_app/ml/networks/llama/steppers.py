"""Steppers of Llamas: in ONNX Runtime on the processor, or in TensorFlow on a GPU. Each decoder is made once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from models_app.ml.networks.products import PRODUCTS_VARIABLE

from .config import LlamaConfig
from .store import LIBRARY

if TYPE_CHECKING:
    from models_app.ml.networks.registry import Stepper

    from .decoder import LlamaDecoder

#: ONNX Runtime turns the positions only of heads whose size is a multiple of this.
HEAD_STEP: Final = 16
#: Where a GPU is, this file is, too. Asking TensorFlow takes seconds.
_GPU: Final = Path("/dev/nvidiactl")
_building = Lock()


def stepper(config: LlamaConfig, weights: Mapping[str, Any]) -> Stepper:
    """Return a stepper with this adapter. Raises PretrainedError if the pretrained model isn't there."""
    if config.head_size % HEAD_STEP or (_GPU.exists() and _sees_gpu()):
        from . import loaded

        return loaded.stepper(config, weights)
    # Imported late, because only processes that write with a Llama need it.
    from .decoder import LlamaStepper

    with _building:
        return LlamaStepper(_decoder(config, os.environ.get(PRODUCTS_VARIABLE) == "float32"), weights)


@lru_cache(maxsize=2)
def _decoder(config: LlamaConfig, exact: bool) -> LlamaDecoder:
    from .decoder import LlamaDecoder

    return LlamaDecoder(config, LIBRARY.get(config.pretrained).weights, exact=exact)


def _sees_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
