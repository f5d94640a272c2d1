"""The product's own format, and the same weights for NumPy."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import IO
from zipfile import ZIP_STORED, ZipFile

import numpy as np
from safetensors import safe_open

from models_app.bots import files, guards
from models_app.bots.rows import TrainedModel
from models_app.ml import checkpoint
from models_app.ml.errors import CheckpointError, mark

from .card import CARD, card_of
from .form import CHUNK, entry_of, put, verified


def write_native(model: TrainedModel, out: IO[bytes], also: Sequence[str] = ()) -> None:
    """Write the files of CHECKPOINTS_DIR, except what is about the learned posts. `also`: more files, if they exist."""
    folder = verified(model)
    more = [name for name in dict.fromkeys((checkpoint.TOKENIZER, *also)) if (folder / name).is_file()]
    with ZipFile(out, "w", ZIP_STORED) as archive:
        put(archive, model, CARD, card_of(model))
        for name in (checkpoint.CONFIG, checkpoint.WEIGHTS, *more):
            with (
                (folder / name).open("rb") as file,
                archive.open(entry_of(model, name), "w", force_zip64=True) as entry,
            ):
                shutil.copyfileobj(file, entry, CHUNK)


def write_whole(model: TrainedModel, out: IO[bytes]) -> None:
    """Write the native format with everything that another Bot Factory needs, for the bot's owner only.

    An instant bot's context holds posts. The fingerprints are as good as posts, and the phrases are parts of them, so
    both are left out if some are of another person's posts. Raises CheckpointError if its files are damaged.
    """
    also = list(files.COMPANIONS)
    if not guards.is_of_own_posts(model.owner, model):
        also.remove(files.FINGERPRINTS)
        also.remove(checkpoint.PHRASES)
    try:
        write_native(model, out, also)
    except OSError as error:
        folder = files.path_of(model)
        raise CheckpointError(mark("%(folder)s can’t be read: %(reason)s."), folder=folder, reason=error) from error


def write_npz(model: TrainedModel, out: IO[bytes]) -> None:
    """Write each weight as an array of its stored type. numpy.load also returns config.json, as bytes.

    For a small network of tokens, it returns tokenizer.json, too.
    """
    folder = verified(model)
    with ZipFile(out, "w", ZIP_STORED) as archive, safe_open(folder / checkpoint.WEIGHTS, framework="numpy") as weights:
        put(archive, model, CARD, card_of(model))
        for name in (checkpoint.CONFIG, checkpoint.TOKENIZER):
            if (folder / name).is_file():
                put(archive, model, name, (folder / name).read_text(encoding="utf-8"))
        for weight in sorted(weights.keys()):
            with archive.open(entry_of(model, f"{weight}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, weights.get_tensor(weight), allow_pickle=False)
