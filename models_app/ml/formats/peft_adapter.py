"""The adapter of a Llama as a folder of PEFT: adapter_config.json and adapter_model.safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import numpy as np
from safetensors.numpy import save

from models_app.ml.networks.llama.config import LlamaConfig

from .lora import LAYERS, Array, adapted, hugging_face_maps

CONFIG: Final = "adapter_config.json"
WEIGHTS: Final = "adapter_model.safetensors"
_PREFIX: Final = f"base_model.model.{LAYERS}"


def peft_files(config: LlamaConfig, weights: Mapping[str, Array], *, base: str) -> dict[str, bytes]:
    """Return the content of the files by name; `base` is the name of the pretrained model."""
    maps = hugging_face_maps(config)
    described = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": config.rank,
        "lora_alpha": config.scale * config.rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "use_rslora": False,
        "use_dora": False,
        "target_modules": [each.name.split(".")[1] for each in maps],
        "inference_mode": True,
    }
    tensors = {}
    for each in adapted(config, weights, maps):
        name = f"{_PREFIX}.{each.layer}.{each.map.name}"
        tensors[f"{name}.lora_A.weight"] = np.ascontiguousarray(each.a)
        tensors[f"{name}.lora_B.weight"] = np.ascontiguousarray(each.b)
    return {
        CONFIG: (json.dumps(described, indent=2) + "\n").encode(),
        WEIGHTS: save(tensors, metadata={"format": "pt"}),
    }
