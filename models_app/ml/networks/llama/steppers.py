"""Steppers of Llamas. Each decoder is made once. They write on the processor, also where a GPU is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from models_app.ml.networks.processor import wanted_products

from .config import LlamaConfig
from .stepper import LlamaStepper
from .store import LIBRARY

if TYPE_CHECKING:
    from .decoder import LlamaDecoder

_building = Lock()


def stepper(config: LlamaConfig, weights: Mapping[str, Any]) -> LlamaStepper[Any]:
    """Return a stepper with this adapter. Raises PretrainedError if the pretrained model isn't there."""
    with _building:
        return LlamaStepper(_decoder(config, wanted_products() == "float32"), weights)


@lru_cache(maxsize=2)
def _decoder(config: LlamaConfig, exact: bool) -> LlamaDecoder:
    # Imported late, because only processes that write with a Llama need it.
    from .decoder import LlamaDecoder
    from .int8_file import int8_of

    frozen = LIBRARY.get(config.pretrained).weights
    int8 = None if exact else int8_of(LIBRARY.folder_of(config.pretrained), config, frozen)
    return LlamaDecoder(config, frozen, exact=exact, int8=int8)
