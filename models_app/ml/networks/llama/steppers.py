"""Steppers of Llamas: in ONNX Runtime on the processor, or in TensorFlow on a GPU. Each decoder is made once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from models_app.ml.networks.processor import wanted_products

from .config import LlamaConfig
from .stepper import LlamaStepper
from .store import LIBRARY

if TYPE_CHECKING:
    from .decoder import LlamaDecoder

#: ONNX Runtime turns the positions only of heads whose size is a multiple of this.
HEAD_STEP: Final = 16
#: Where a GPU is, this file is, too. Asking TensorFlow takes seconds.
_GPU: Final = Path("/dev/nvidiactl")
_building = Lock()


def stepper(config: LlamaConfig, weights: Mapping[str, Any]) -> LlamaStepper[Any]:
    """Return a stepper with this adapter. Raises PretrainedError if the pretrained model isn't there."""
    # Both are imported late, because only processes that write with a Llama need them.
    if config.head_size % HEAD_STEP or (_GPU.exists() and _sees_gpu()):
        from .loaded import decoder

        return LlamaStepper(decoder(config), weights)
    with _building:
        return LlamaStepper(_decoder(config, wanted_products() == "float32"), weights)


@lru_cache(maxsize=2)
def _decoder(config: LlamaConfig, exact: bool) -> LlamaDecoder:
    from .decoder import LlamaDecoder
    from .int8_file import int8_of

    frozen = LIBRARY.get(config.pretrained).weights
    int8 = None if exact else int8_of(LIBRARY.folder_of(config.pretrained), config, frozen)
    return LlamaDecoder(config, frozen, exact=exact, int8=int8)


def _sees_gpu() -> bool:
    from models_app.ml.networks.mixed_matmul import has_gpu

    return has_gpu()
