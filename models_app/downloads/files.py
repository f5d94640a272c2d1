"""The formats of downloads, and a download as a file on disk."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from os import SEEK_END
from typing import IO, Final

from channels.db import database_sync_to_async
from django.utils.text import slugify

from models_app.bots.rows import TrainedModel

from . import fluent, own, quick
from .form import CHUNK, Format

_ZIP: Final = "application/zip"
_BYTES: Final = "application/octet-stream"
FORMATS: Final[Mapping[str, Format]] = {
    "native": Format("Bot Factory", "weights.safetensors and config.json", ".zip", _ZIP, own.write_native),
    "npz": Format("NumPy", "arrays for numpy.load", ".npz", _ZIP, own.write_npz),
    "keras": Format("Keras", "stock layers for keras.saving.load_model", ".keras", _ZIP, quick.write_keras, quick.fits),
    "onnx": Format("ONNX", "one step, for ONNX Runtime and others", ".onnx", _BYTES, quick.write_onnx, quick.fits),
    "tfjs": Format("TensorFlow.js", "a graph model of one step", ".tfjs.zip", _ZIP, quick.write_tfjs, quick.fits),
    "peft": Format("PEFT", "the adapter (LoRA), safetensors", ".peft.zip", _ZIP, fluent.write_peft, fluent.fits),
    "gguf-lora": Format("llama.cpp (LoRA)", "the adapter", ".lora.gguf", _BYTES, fluent.write_lora, fluent.fits),
    "gguf": Format(
        "llama.cpp", "the whole model, float16", ".gguf", _BYTES, fluent.write_merged, fluent.fits, fluent.is_small
    ),
}


def formats_of(model: TrainedModel, *, by_web: bool = True) -> dict[str, Format]:
    """Return the formats that the model can be downloaded in, by name; without `by_web`, at the terminal."""
    return {name: form for name, form in FORMATS.items() if form.fits(model) and (form.is_small(model) or not by_web)}


@dataclass(frozen=True, slots=True)
class Download:
    """A complete file on disk, which is deleted once it has been read."""

    name: str
    media_type: str
    size: int
    sha256: str
    file: IO[bytes]

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the file. While the reader takes a chunk, no connection to the database is held."""
        try:
            while chunk := await database_sync_to_async(self.file.read)(CHUNK):
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
