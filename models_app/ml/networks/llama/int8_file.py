"""A pretrained model's matrices in int8, in a file beside its frozen weights: made once, and mapped by each process.

ONNX Runtime packs the matrices in an order of its own and doesn't read these any more. As views of a file, they then
take no memory that the system can't have back.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from .config import LlamaConfig
from .onnx_graph import BLOCK, head_of, rounded
from .store import mapped

#: Another rounding needs another name.
FILE: Final = "int8.safetensors"


def int8_of(folder: Path, config: LlamaConfig, frozen: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return for each matrix NAME what `rounded` returns, as NAME.numbers and NAME.scales.

    `folder`: of the pretrained model. If the file can't be written, they're in memory.
    """
    path = folder / FILE
    with suppress(OSError, ValueError, KeyError, SafetensorError):
        found = mapped(path)
        if {name: array.shape for name, array in found.items()} == _shapes(config, frozen):
            return found
    made: dict[str, NDArray[Any]] = {}
    for name, matrix in _matrices(config, frozen).items():
        made[f"{name}.numbers"], made[f"{name}.scales"] = rounded(matrix)
    with suppress(OSError, SafetensorError), tempfile.TemporaryDirectory(prefix=".int8.", dir=folder) as staged:
        save_file(made, Path(staged) / FILE)
        (Path(staged) / FILE).replace(path)
        return mapped(path)
    return made


def _matrices(config: LlamaConfig, frozen: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the matrices (I, O) that are multiplied in int8."""
    head, matrix = head_of(config, frozen)
    found = {name: array for name, array in frozen.items() if array.ndim == 2 and name not in ("embedding", "head")}
    return {name: array for name, array in (found | {head: matrix}).items() if array.shape[0] % BLOCK == 0}


def _shapes(config: LlamaConfig, frozen: Mapping[str, NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for name, matrix in _matrices(config, frozen).items():
        inputs, outputs = matrix.shape
        shapes[f"{name}.numbers"] = (outputs, inputs // BLOCK, BLOCK)
        shapes[f"{name}.scales"] = (outputs * inputs // BLOCK,)
    return shapes
