"""A network whose vocabulary has yet to be learned gets it from the beginning of its training's corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from models_app.ml.checkpoint import write_durably
from models_app.ml.config import NetworkConfig, size_to_learn
from models_app.ml.errors import CheckpointError
from models_app.ml.networks.registry import Network
from models_app.ml.vocabulary import learning, register
from models_app.ml.vocabulary.bpe import BpeVocabulary

from .dataset import stream_posts


def with_vocabulary(network: Network, corpus: Sequence[Path], folder: Path, *, resume: bool) -> Network:
    """Return the network with its vocabulary learned from `corpus` and registered; any other network as it is.

    `folder` keeps the vocabulary. With `resume`, one that is there is taken instead of learned, which takes half a
    minute and gives the same for the same posts. Raises LearningError for a file that can't be read.
    """
    size = size_to_learn(network.vocabulary) if isinstance(network, NetworkConfig) else 0
    if not size:
        return network
    kept = folder / f"vocabulary-{size}.json"
    vocabulary = _read(kept) if resume else None
    if vocabulary is None:
        vocabulary = learning.learned(islice(stream_posts(corpus), learning.POSTS), size)
        folder.mkdir(parents=True, exist_ok=True)
        staged = kept.with_suffix(".new")
        write_durably(staged, vocabulary.to_json().encode())
        staged.replace(kept)
    return replace(network, vocabulary=register(vocabulary).name)


def _read(path: Path) -> BpeVocabulary | None:
    try:
        return BpeVocabulary.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, CheckpointError):
        return None
