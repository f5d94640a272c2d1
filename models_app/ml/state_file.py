"""Training states on disk: one safetensors file with JSON in its header, replaced by an atomic rename. No pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_tensors

from .checkpoint import write_durably

Arrays = dict[str, NDArray[Any]]


class StateError(Exception):
    """The file holds no usable state; the caller, who names it, decides whether to start over or to report it."""


def save_state(path: Path, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
    """Save arrays and JSON-ready facts atomically: a kill at any moment leaves the old or the new state."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not ascontiguousarray, which makes a 0-dimensional array 1-dimensional.
    tensors = {name: np.array(array, order="C") for name, array in arrays.items()}
    header = {"facts": json.dumps(dict(facts), ensure_ascii=False), "digest": _digest(tensors)}
    staged = path.with_name(path.name + ".new")
    write_durably(staged, save_tensors(tensors, metadata=header))
    staged.replace(path)


def load_state(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Return (arrays, facts).

    Raises FileNotFoundError without a file, and StateError for a damaged file or one of another kind.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
        facts = json.loads(header["facts"])
        intact = header["digest"] == _digest(arrays)
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StateError(f"it can't be read: {reason}") from error
    if not intact or not isinstance(facts, dict):
        raise StateError("it is damaged")
    return arrays, facts


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
