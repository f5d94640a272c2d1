"""Models as files to download. Each format is an entry of FORMATS. None needs TensorFlow or contains posts."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import IO, Any, Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from asgiref.sync import sync_to_async
from django.utils import translation
from django.utils.text import slugify
from safetensors import safe_open

from botfactory.words import counted
from models_app import guards, model_files
from models_app.ml import checkpoint
from models_app.ml.errors import CheckpointError, mark
from models_app.models import Tier, TrainedModel

CARD: Final = "README.md"
_CHUNK: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Format:
    """A file format. `write` writes a model to a file; the same model always gives the same bytes."""

    title: str
    hint: str
    suffix: str
    media_type: str
    write: Callable[[TrainedModel, IO[bytes]], None]


@dataclass(frozen=True, slots=True)
class Download:
    """A complete file on disk, which is deleted once it has been read."""

    name: str
    media_type: str
    size: int
    sha256: str
    file: IO[bytes]

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            while chunk := await sync_to_async(self.file.read)(_CHUNK):
                yield chunk
        finally:
            self.file.close()


def download(model: TrainedModel, name: str) -> Download:
    """Return the model in the format with this name. Raises CheckpointError if its files are damaged."""
    form = FORMATS[name]
    with ExitStack() as held:
        file = held.enter_context(tempfile.TemporaryFile())
        form.write(model, file)
        size = file.seek(0, SEEK_END)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        # The reader closes it.
        held.pop_all()
    return Download(f"{slugify(model.name) or 'model'}{form.suffix}", form.media_type, size, digest, file)


def card_of(model: TrainedModel) -> str:
    """Return the model card in English, as Markdown: the model's origin, settings and report card."""
    with translation.override("en"):
        return _card_of(model)


def _card_of(model: TrainedModel) -> str:
    network, training = model.network, model.training
    facts = [
        (
            "learned from",
            f"{counted(model.posts, 'post')} ({counted(model.characters, 'character')}) of {model.corpus_name}",
        ),
        ("started from", model.parent_name),
        ("trained on", f"{model.created_at:%Y-%m-%d}"),
        ("best epoch", f"{model.best_epoch} of {len(model.history)}" if model.best_epoch else ""),
        ("bits per character", "" if model.bits_per_character is None else f"{model.bits_per_character:.3f}"),
        ("sha256 of the weights", model.sha256),
    ]
    parts = [
        f"# {_line(model.name)}",
        f"> {_line(model.parody_label)} Say so wherever you show what it writes.",
        f"{_kind(model)} The posts that it learned from are not in this file.",
        _table("", [(name, value) for name, value in facts if value]),
        _table("## Network", network.items()),
        _table("## Trained with", training.items()),
    ]
    if model.report:
        parts.append(f"## Report card\n\n{_report(model)}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _kind(model: TrainedModel) -> str:
    if model.tier == Tier.FLUENT:
        return (
            "An adapter (LoRA) of Bot Factory for a pretrained Llama, which isn't in this file: the one whose "
            f"publisher's file has the sha256 {model.network.get('pretrained')}."
        )
    return "A character model of Bot Factory."


def _report(model: TrainedModel) -> str:
    """Return the report card as on the model's page, but without the copies, which are learned posts."""

    def share(value: float | None) -> str:
        return "–" if value is None else f"{value:.0%}"

    bits = (
        f"{model.report['bits_per_character']:.3f} bits per character; the base model has "
        f"{model.report['base_bits_per_character']:.3f}. Lower is better."
    )
    rows = [
        f"| {row['name']} | {share(row['bot'])} | {share(row['held_out'])} | {share(row['base'])} |"
        for row in model.report_rows
    ]
    return "\n".join(
        [bits, "", "| share of | this model | real posts | base model |", "| --- | --- | --- | --- |", *rows]
    )


def _table(title: str, rows: Any) -> str:
    lines = [f"| {_line(name)} | {_line(value)} |" for name, value in rows]
    return "\n".join([*([title, ""] if title else []), "| | |", "| --- | --- |", *lines]) if lines else ""


def _line(value: object) -> str:
    """Return the value on one line, without Markdown syntax."""
    return " ".join(str(value).split()).replace("|", "\\|")


def _write_native(model: TrainedModel, out: IO[bytes], also: Sequence[str] = ()) -> None:
    """Write the files of CHECKPOINTS_DIR, except what is about the learned posts. `also`: more files, if they exist."""
    folder = _verified(model)
    with ZipFile(out, "w", ZIP_STORED) as archive:
        _put_text(archive, model, CARD, card_of(model))
        for name in (checkpoint.CONFIG, checkpoint.WEIGHTS, *(name for name in also if (folder / name).is_file())):
            with (folder / name).open("rb") as file, archive.open(_entry(model, name), "w", force_zip64=True) as entry:
                shutil.copyfileobj(file, entry, _CHUNK)


def write_whole(model: TrainedModel, out: IO[bytes]) -> None:
    """Write the native format with everything that another Bot Factory needs, for the bot's owner only.

    An instant bot's context holds posts. The fingerprints are as good as posts, so they are left out if some are of
    another person's posts. Raises CheckpointError if its files are damaged.
    """
    also = list(model_files.COMPANIONS)
    if not guards.is_of_own_posts(model.owner, model):
        also.remove(model_files.FINGERPRINTS)
    try:
        _write_native(model, out, also)
    except OSError as error:
        folder = model_files.path_of(model)
        raise CheckpointError(mark("%(folder)s can’t be read: %(reason)s."), folder=folder, reason=error) from error


def _write_npz(model: TrainedModel, out: IO[bytes]) -> None:
    """Write each weight as an array of its stored type. numpy.load also returns config.json, as bytes."""
    folder = _verified(model)
    with ZipFile(out, "w", ZIP_STORED) as archive, safe_open(folder / checkpoint.WEIGHTS, framework="numpy") as weights:
        _put_text(archive, model, CARD, card_of(model))
        _put_text(archive, model, checkpoint.CONFIG, (folder / checkpoint.CONFIG).read_text(encoding="utf-8"))
        for name in sorted(weights.keys()):
            with archive.open(_entry(model, f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, weights.get_tensor(name), allow_pickle=False)


def _verified(model: TrainedModel) -> Path:
    """Return the model's folder after verifying its weights. Raises CheckpointError."""
    folder = model_files.path_of(model)
    described = checkpoint.describe(folder)
    with (folder / checkpoint.WEIGHTS).open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != described["sha256"]:
            raise CheckpointError(
                mark("The weights in %(folder)s have changed since they were saved. Restore the model from a backup."),
                folder=folder,
            )
    return folder


def _put_text(archive: ZipFile, model: TrainedModel, name: str, text: str) -> None:
    archive.writestr(_entry(model, name), text)


def _entry(model: TrainedModel, name: str) -> ZipInfo:
    """Return an entry dated to the model's creation, so that the file doesn't depend on when it is written."""
    moment = model.created_at
    entry = ZipInfo(name, (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second))
    entry.external_attr = 0o644 << 16
    return entry


FORMATS: Final[Mapping[str, Format]] = {
    "native": Format("Bot Factory", "weights.safetensors and config.json", ".zip", "application/zip", _write_native),
    "npz": Format("NumPy", "arrays for numpy.load", ".npz", "application/zip", _write_npz),
}
