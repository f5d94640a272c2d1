"""Names and shapes of a Llama's frozen weights and of its adapter. All matrices are (inputs, outputs).

Maps with the same input are stored side by side, so a step multiplies four matrices per layer instead of seven: query,
key and value as `attend`; gate and up of the feed-forward layer as `expand`. The adapter adds scale * x @ A @ B to each
of the four (LoRA, Hu et al. 2021, arXiv:2106.09685).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config import LlamaConfig

#: The adapted maps of each layer.
MAPS = ("attend", "attend_out", "expand", "contract")
#: The norms of queries and keys, where an architecture has them.
QK_NORMS = ("query_norm", "key_norm")


def map_shapes(config: LlamaConfig) -> dict[str, tuple[int, int]]:
    """Return the (inputs, outputs) of each map of a layer."""
    values = config.heads * config.head_size
    return {
        "attend": (config.width, values + 2 * config.kv_heads * config.head_size),
        "attend_out": (values, config.width),
        "expand": (config.width, 2 * config.hidden),
        "contract": (config.hidden, config.width),
    }


def frozen_shapes(config: LlamaConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of each frozen weight by name."""
    shapes: dict[str, tuple[int, ...]] = {
        "embedding": (config.symbols, config.width),
        "norm": (config.width,),
        "rotary": (config.head_size // 2,),  # the angle per position of each pair of a head's numbers
    }
    if not config.tied:
        shapes["head"] = (config.symbols, config.width)
    for layer in range(config.layers):
        shapes |= {f"{layer}.attend_norm": (config.width,), f"{layer}.expand_norm": (config.width,)}
        shapes |= {f"{layer}.{name}": (config.head_size,) for name in QK_NORMS if config.qk_norm}
        shapes |= {f"{layer}.{name}": shape for name, shape in map_shapes(config).items()}
    return shapes


def adapter_shapes(config: LlamaConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight of the adapter: A (inputs, rank) and B (rank, outputs) of each map."""
    shapes: dict[str, tuple[int, ...]] = {}
    if config.rank:
        for layer in range(config.layers):
            for name, (inputs, outputs) in map_shapes(config).items():
                shapes[f"{layer}.{name}.a"] = (inputs, config.rank)
                shapes[f"{layer}.{name}.b"] = (config.rank, outputs)
    return shapes


def layer_names(config: LlamaConfig) -> list[str]:
    """Return the names of a layer's weights, without its number: norms, maps and the adapter's parts."""
    parts = [f"{name}.{part}" for name in MAPS for part in "ab"] if config.rank else []
    return ["attend_norm", "expand_norm", *(QK_NORMS if config.qk_norm else ()), *MAPS, *parts]


def first_adapter(config: LlamaConfig, seed: int) -> dict[str, NDArray[Any]]:
    """Return an adapter that changes nothing yet: A is random with variance 1 / inputs, B is zero."""
    rng = np.random.default_rng(seed)
    made: dict[str, NDArray[Any]] = {}
    for name, shape in adapter_shapes(config).items():
        if name.endswith(".a"):
            made[name] = rng.normal(0, shape[0] ** -0.5, shape).astype(np.float32)
        else:
            made[name] = np.zeros(shape, np.float32)
    return made


def rotary_angles(
    head_size: int, base: float, scaling: tuple[float, float, float, float] | None = None
) -> NDArray[np.float32]:
    """Return the angle per position of each pair of a head's numbers, (head_size / 2,).

    Su et al. 2021 (arXiv:2104.09864), equation 15. With `scaling` (factor, low and high frequency factor, original
    length), long wavelengths are stretched as in Llama 3.1 (transformers, `_compute_llama3_parameters`).
    """
    angles = base ** (-np.arange(0, head_size, 2, dtype=np.float64) / head_size)
    if scaling is not None:
        factor, low, high, original = scaling
        smooth = np.clip((original * angles / (2 * np.pi) - low) / (high - low), 0, 1)
        angles = (1 - smooth) * angles / factor + smooth * angles
    return angles.astype(np.float32)
