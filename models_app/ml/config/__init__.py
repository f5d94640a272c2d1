"""Settings for networks, training and sampling: dataclasses that validate themselves and convert to plain JSON."""

from __future__ import annotations

from .fine_tuning import MAX_DEFAULT_EPOCHS, MAX_EPOCHS, MIN_EPOCHS, ONE_EPOCH, FineTuneConfig, default_epochs_for
from .networks import (
    BYTES,
    MAX_VOCABULARY,
    MIN_VOCABULARY,
    NETWORKS,
    NetworkConfig,
    size_to_learn,
    traits_of,
    vocabulary_to_learn,
)
from .pretraining import CONTINUED, RECIPES, PretrainConfig
from .sampling import (
    LONGEST_BANNED,
    LONGEST_TOPIC,
    MAX_BANNED,
    MAX_BEST_OF,
    MAX_TOP_K,
    SamplingConfig,
    Usual,
    is_greedy,
    usual,
)
from .values import Values, number, whole

__all__ = [
    "BYTES",
    "CONTINUED",
    "LONGEST_BANNED",
    "LONGEST_TOPIC",
    "MAX_BANNED",
    "MAX_BEST_OF",
    "MAX_DEFAULT_EPOCHS",
    "MAX_EPOCHS",
    "MAX_TOP_K",
    "MAX_VOCABULARY",
    "MIN_EPOCHS",
    "MIN_VOCABULARY",
    "NETWORKS",
    "ONE_EPOCH",
    "RECIPES",
    "FineTuneConfig",
    "NetworkConfig",
    "PretrainConfig",
    "SamplingConfig",
    "Usual",
    "Values",
    "default_epochs_for",
    "is_greedy",
    "number",
    "size_to_learn",
    "traits_of",
    "usual",
    "vocabulary_to_learn",
    "whole",
]
