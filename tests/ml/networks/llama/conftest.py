from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.weights import adapter_shapes, frozen_shapes, rotary_angles

ROPE_BASE = 100.0
TINY = LlamaConfig(
    pretrained="0" * 64,
    vocabulary="bpe-0123456789abcdef",
    symbols=300,
    end=0,
    layers=2,
    width=64,
    heads=4,
    kv_heads=2,
    head_size=16,
    hidden=24,
    rank=3,
    scale=2.0,
)

#: Numbers like those of the publishers: Qwen3's heads are wider than their share of the width.
QWEN3 = LlamaConfig.from_dict(
    TINY.as_dict() | {"architecture": "qwen3", "qk_norm": True, "head_size": 32, "norm_epsilon": 1e-6}
)
GRANITE = LlamaConfig.from_dict(
    TINY.as_dict()
    | {"architecture": "granite", "tied": False}
    | {"embedding_multiplier": 12.0, "attention_multiplier": 0.125, "residual_multiplier": 0.22, "logits_scaling": 8.0}
)
GRANITE_4 = LlamaConfig.from_dict(
    GRANITE.as_dict() | {"architecture": "granitemoehybrid", "tied": True, "residual_multiplier": 0.246}
)
ARCHITECTURES = {
    "qwen3": QWEN3,
    "qwen3, untied": LlamaConfig.from_dict(QWEN3.as_dict() | {"tied": False}),
    "granite": GRANITE,
    "granite 4": GRANITE_4,
}


def made_frozen(config: LlamaConfig, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Return random frozen weights, large enough that every operation has an effect."""
    rng = np.random.default_rng(seed)
    weights: dict[str, NDArray[Any]] = {
        name: rng.normal(0, 0.15, shape) if len(shape) == 2 else rng.uniform(0.5, 1.5, shape)
        for name, shape in frozen_shapes(config).items()
    }
    weights["rotary"] = rotary_angles(config.head_size, ROPE_BASE)
    return {name: array.astype(np.float32) for name, array in weights.items()}


def made_adapter(config: LlamaConfig, seed: int = 1) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.2, shape).astype(np.float32) for name, shape in adapter_shapes(config).items()}


@pytest.fixture(params=list(ARCHITECTURES.values()), ids=list(ARCHITECTURES))
def architecture(request: pytest.FixtureRequest) -> LlamaConfig:
    """An architecture other than Llama."""
    config: LlamaConfig = request.param
    return config


@pytest.fixture
def frozen() -> dict[str, NDArray[Any]]:
    return made_frozen(TINY)


@pytest.fixture
def adapter() -> dict[str, NDArray[Any]]:
    return made_adapter(TINY)
