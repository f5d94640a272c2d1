"""Settings for networks, training and sampling: dataclasses that validate themselves and convert to plain JSON."""

from __future__ import annotations

from .fine_tuning import MAX_DEFAULT_EPOCHS, MAX_EPOCHS, MIN_EPOCHS, ONE_EPOCH, FineTuneConfig, default_epochs_for
from .networks import BYTES, NETWORKS, NetworkConfig
from .pretraining import CONTINUED, RECIPES, PretrainConfig
from .sampling import (
    DEFAULT_BEST_OF,
    DEFAULT_TEMPERATURE,
    LONGEST_BANNED,
    MAX_BANNED,
    MAX_BEST_OF,
    MAX_TOP_K,
    SamplingConfig,
    is_greedy,
    usual_top_p,
)
from .values import Values, number, whole

__all__ = [
    "BYTES",
    "CONTINUED",
    "DEFAULT_BEST_OF",
    "DEFAULT_TEMPERATURE",
    "LONGEST_BANNED",
    "MAX_BANNED",
    "MAX_BEST_OF",
    "MAX_DEFAULT_EPOCHS",
    "MAX_EPOCHS",
    "MAX_TOP_K",
    "MIN_EPOCHS",
    "NETWORKS",
    "ONE_EPOCH",
    "RECIPES",
    "FineTuneConfig",
    "NetworkConfig",
    "PretrainConfig",
    "SamplingConfig",
    "Values",
    "default_epochs_for",
    "is_greedy",
    "number",
    "usual_top_p",
    "whole",
]
