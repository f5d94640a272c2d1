"""Fluent bots for other libraries: their adapter for PEFT and llama.cpp, and the whole model for llama.cpp."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import IO, Any, Final
from zipfile import ZIP_STORED, ZipFile

from numpy.typing import NDArray

from models_app.bots import files, pretrained
from models_app.bots.rows import Tier, TrainedModel
from models_app.ml import checkpoint
from models_app.ml.formats import gguf_files, notes, peft_adapter
from models_app.ml.networks.llama import store
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.vocabulary.bpe import END_MARKS, end_of

from .card import CARD, card_of, label_of
from .form import put

#: Larger models are merged at the terminal only: it takes long, and the file takes two bytes for each weight.
MAX_PARAMETERS: Final = 400_000_000
#: Merging takes seconds of computing, so a process merges one model at a time.
_MERGING: Final = Lock()


def fits(model: TrainedModel) -> bool:
    return model.tier == Tier.FLUENT


def is_small(model: TrainedModel) -> bool:
    """Return whether a web process can merge the model: its pretrained model is here, and small."""
    if not fits(model):
        return False
    config = LlamaConfig.from_dict(model.network)
    return config.parameters <= MAX_PARAMETERS and pretrained.is_here(config.pretrained)


def write_peft(model: TrainedModel, out: IO[bytes]) -> None:
    """Write a zip with the adapter as PEFT keeps it."""
    config, weights = _loaded(model)
    base = pretrained.name_of(config.pretrained)
    with ZipFile(out, "w", ZIP_STORED) as archive:
        put(archive, model, CARD, _card(model, "peft"))
        for name, content in peft_adapter.peft_files(config, weights, base=base).items():
            put(archive, model, name, content)


def write_lora(model: TrainedModel, out: IO[bytes]) -> None:
    """Write the adapter as GGUF."""
    config, weights = _loaded(model)
    gguf_files.write_lora(config, weights, _metadata(model, "gguf-lora"), out)


def write_merged(model: TrainedModel, out: IO[bytes]) -> None:
    """Write the pretrained model with the adapter as GGUF. Raises PretrainedError if that model can't be had."""
    config, weights = _loaded(model)
    folder, metadata = pretrained.root() / config.pretrained, _metadata(model, "gguf")
    with _MERGING:
        pretrained.require(model.network)
        gguf_files.write_merged(config, weights, folder, metadata, out)


def _loaded(model: TrainedModel) -> tuple[LlamaConfig, Mapping[str, NDArray[Any]]]:
    """Return the verified adapter as stored. Raises CheckpointError."""
    loaded = checkpoint.load(files.path_of(model), as_stored=True)
    return LlamaConfig.from_dict(loaded.network.as_dict()), loaded.weights


def _metadata(model: TrainedModel, name: str) -> dict[str, str]:
    return {
        "general.name": model.name,
        "general.description": label_of(model),
        f"botfactory.{CARD}": _card(model, name),
    }


def _card(model: TrainedModel, name: str) -> str:
    number = str(model.network["pretrained"])
    return f"{card_of(model)}\n{notes.how_to_use_adapter(name, pretrained.name_of(number), _end(number))}\n"


def _end(number: str) -> str:
    """Return the token that begins and ends texts, or the most usual one if the pretrained model isn't here."""
    try:
        return end_of((pretrained.root() / number / store.TOKENIZER).read_text(encoding="utf-8")) or END_MARKS[0]
    except (OSError, ValueError):
        return END_MARKS[0]
