"""Frozen weights ready for use: a folder per pretrained model, named by the sha256 of its publisher's file.

They're taken in once: read, checked, and written as safetensors with bfloat16 matrices, which load in a tenth of the
time and take half the memory of float32. All processes share them, and each keeps a model once for all its bots.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models_app.ml.errors import CheckpointError, mark
from models_app.ml.vocabulary import register
from models_app.ml.vocabulary.bpe import BpeVocabulary

from .config import LlamaConfig
from .pretrained import Pretrained, PretrainedError
from .weights import frozen_shapes

WEIGHTS: Final = "frozen.safetensors"
CONFIG: Final = "pretrained.json"
TOKENIZER: Final = "tokenizer.json"
#: What processes map.
_DTYPES: Final[dict[str, Any]] = {"BF16": ml_dtypes.bfloat16, "F32": np.float32, "U8": np.uint8}


@dataclass(frozen=True, slots=True)
class Frozen:
    """A pretrained model in memory. Matrices are bfloat16, vectors float32; all are read-only."""

    config: LlamaConfig
    weights: dict[str, NDArray[Any]]
    vocabulary: BpeVocabulary
    name: str
    licence: str


def take_in(pretrained: Pretrained, root: Path) -> Path:
    """Write the model to its folder in `root`, unless it's there, and return the folder.

    A kill at any moment leaves nothing or the whole folder.
    """
    folder = root / pretrained.config.pretrained
    if folder.exists():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{folder.name[:12]}.new-", dir=root))
    try:
        staged.chmod(0o755)
        save_file({name: _compact(array) for name, array in pretrained.weights.items()}, staged / WEIGHTS)
        (staged / TOKENIZER).write_text(pretrained.vocabulary.to_json(), encoding="utf-8")
        facts = {
            "network": pretrained.config.as_dict(),
            "name": pretrained.name,
            "licence": pretrained.licence,
        }
        (staged / CONFIG).write_text(json.dumps(facts, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        try:
            staged.rename(folder)
        except OSError:
            # Another process took it in meanwhile.
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return folder


def load(folder: Path) -> Frozen:
    """Return the model in the folder. Raises PretrainedError if its files are missing or damaged."""
    try:
        facts = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        config = LlamaConfig.from_dict(facts["network"])
        vocabulary = BpeVocabulary.from_json((folder / TOKENIZER).read_text(encoding="utf-8"))
        weights = mapped(folder / WEIGHTS)
    except (OSError, ValueError, KeyError, SafetensorError, CheckpointError) as error:
        raise PretrainedError(
            mark(
                "The pretrained model in %(directory)s can’t be read (%(reason)s). Delete this folder; it is "
                "rebuilt from the model’s file."
            ),
            directory=folder,
            reason=error,
        ) from error
    shapes = {name: array.shape for name, array in weights.items()}
    if shapes != frozen_shapes(config) or vocabulary.name != config.vocabulary:
        raise PretrainedError(
            mark(
                "The pretrained model in %(directory)s doesn’t fit its configuration. Delete this folder; it is "
                "rebuilt from the model’s file."
            ),
            directory=folder,
        )
    return Frozen(config, weights, vocabulary, str(facts["name"]), str(facts["licence"]))


def mapped(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays in a safetensors file as views of the file, which safetensors itself can only copy.

    So all processes share this memory, and the system takes back what nobody reads any more. Raises SafetensorError if
    the file is damaged, OSError if it can't be read.
    """
    with safe_open(path, framework="numpy"):
        pass  # has checked the header and the size
    data = np.asarray(np.memmap(path, mode="r"))
    begin = 8 + int.from_bytes(data[:8].tobytes(), "little")
    header = json.loads(data[8:begin].tobytes())
    header.pop("__metadata__", None)
    arrays = {}
    for name, facts in header.items():
        first, last = facts["data_offsets"]
        arrays[name] = data[begin + first : begin + last].view(_DTYPES[facts["dtype"]]).reshape(facts["shape"])
    return arrays


def _compact(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array, np.float32 if array.ndim == 1 else ml_dtypes.bfloat16)


class Library:
    """The pretrained models of this process, each loaded once, from one folder."""

    def __init__(self) -> None:
        self._root: Path | None = None
        self._loaded: dict[str, Frozen] = {}
        self._lock = Lock()

    def keep_in(self, root: Path | None) -> Path | None:
        """Look for models in this folder from now on; return the one until now."""
        with self._lock:
            earlier, self._root = self._root, root
            self._loaded.clear()
            return earlier

    def folder_of(self, pretrained: str) -> Path:
        """Return the folder of a model that `get` returns."""
        assert self._root is not None
        return self._root / pretrained

    def get(self, pretrained: str) -> Frozen:
        """Return the model by the sha256 of its publisher's file. Raises PretrainedError if it isn't there."""
        with self._lock:
            if pretrained not in self._loaded:
                if self._root is None or not (self._root / pretrained).is_dir():
                    raise PretrainedError(
                        mark(
                            "The pretrained model %(pretrained)s isn’t in %(directory)s. Add it again with `manage.py "
                            "add_base`."
                        ),
                        pretrained=pretrained[:12],
                        directory=self._root,
                    )
                found = self._loaded[pretrained] = load(self._root / pretrained)
                register(found.vocabulary)
            return self._loaded[pretrained]


LIBRARY: Final = Library()
