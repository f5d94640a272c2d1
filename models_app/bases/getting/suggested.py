"""The models that we have suggested as base models, each pinned by its commit and the sha256 of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """A model on the hub. `bytes`: of its weights; `config`: what its config.json says of its shape."""

    repository: str
    commit: str
    sha256: str
    bytes: int
    licence: str
    languages: Any
    config: Mapping[str, Any]


_QWEN3: Final = {
    "model_type": "qwen3",
    "vocab_size": 151_936,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": True,
}
SUGGESTED: Final = (
    PinnedModel(
        repository="HuggingFaceTB/SmolLM2-360M",
        commit="f8027fd0eaeea54caa13c31d31b9fdc459c38b49",
        sha256="7aaff6661428bed033abba9522bec81938678642cca3181fe752b6ca9e1e540f",
        bytes=723_674_912,
        licence="apache-2.0",
        languages=_("English"),
        config={
            "model_type": "llama",
            "vocab_size": 49_152,
            "hidden_size": 960,
            "intermediate_size": 2_560,
            "num_hidden_layers": 32,
            "num_attention_heads": 15,
            "num_key_value_heads": 5,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": True,
        },
    ),
    PinnedModel(
        repository="Qwen/Qwen3-0.6B-Base",
        commit="da87bfb608c14b7cf20ba1ce41287e8de496c0cd",
        sha256="cd2a512003e2f9f3cd3c32a9c3573f820bb28c940f73c57b1ddaa983d9223eba",
        bytes=1_192_135_096,
        licence="apache-2.0",
        languages=_("119 languages"),
        config={**_QWEN3, "hidden_size": 1_024, "intermediate_size": 3_072},
    ),
    PinnedModel(
        repository="Qwen/Qwen3-1.7B-Base",
        commit="ea980cb0a6c2ae4b936e82123acc929f1cec04c1",
        sha256="6df85b39330e5a425ee36253d0f894e4387e4f0a15b9c53cb467d668e6b3a841",
        bytes=3_441_185_608,
        licence="apache-2.0",
        languages=_("119 languages"),
        config={**_QWEN3, "hidden_size": 2_048, "intermediate_size": 6_144},
    ),
)


def suggested(repository: str) -> PinnedModel | None:
    """Return the suggested model of this repository, or None."""
    return next((model for model in SUGGESTED if model.repository == repository), None)
