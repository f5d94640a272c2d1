"""What a browser gets of a bot: its weights, and what tells copies of learned posts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from models_app.bots import guards, pretrained
from models_app.bots.files import network_of, path_of
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml import checkpoint, wire
from models_app.ml.sampling.copy_filter import filter_file, guard_file


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of a bot's weights. version: changes with its content; size: in bytes, before anything is packed."""

    version: str
    is_exact: bool
    size: int


def can_be_carried(model: TrainedModel) -> bool:
    """Return whether browsers can run the model's network."""
    return model.tier == Tier.QUICK


def weights_of(model: TrainedModel) -> list[Weights]:
    """Return the files that a browser can choose from, the usual one first.

    The exact one writes what the server writes. It's the only one for a small network. Raises CheckpointError.
    """
    sizes = wire.sizes(network_of(model))
    return [Weights(f"{model.sha256}-{wire.FORMAT}-{name}", name == "float16", size) for name, size in sizes.items()]


def packed_weights(model: TrainedModel, version: str) -> bytes | None:
    """Return the file of this version, None if there is none. Raises CheckpointError if its files are damaged."""
    for weights in weights_of(model):
        if weights.version == version:
            pretrained.require(model.network)
            loaded = checkpoint.load(path_of(model), as_stored=True)
            return wire.pack(loaded, is_exact=weights.is_exact)
    return None


def packed_guard(user: Any, model: TrainedModel) -> bytes:
    """Return what tells `user`'s browser whether a post is a copy; nothing for a model that needs no guard.

    The fingerprints are as good as the posts, so only the person whose posts they are gets them. Raises GuardLost, and
    CheckpointError for a damaged file.
    """
    guard = guards.guard_of(model)
    if guard is None:
        return b""
    return guard_file(guard) if guards.is_of_own_posts(user, model) else filter_file(guard)


def version_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
