"""Loads base models. A fluent one needs its pretrained model, which a fresh clone only has in a package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from models_app.bots.pretrained import packaged
from models_app.ml.checkpoint import Checkpoint, describe, load
from models_app.ml.networks.llama.store import LIBRARY, take_in

from . import common

PRETRAINED: Final = common.ROOT / "checkpoints" / "pretrained"
FLUENT: Final = common.ROOT / "checkpoints" / "fluent"


def loaded(base: Path, pretrained: Path = PRETRAINED) -> Checkpoint:
    """Return the model in the folder `base`, with its pretrained model in the folder `pretrained`.

    Unpacks that one there if it's missing. Raises CheckpointError, or PretrainedError if it isn't the installed one.
    """
    LIBRARY.keep_in(pretrained)
    number = describe(base)["network"].get("pretrained", "")
    if number and not (pretrained / number).is_dir():
        common.say(f"unpacking the pretrained model into {pretrained}")
        take_in(packaged(number), pretrained)
    return load(base)
