"""The vocabularies that this process has loaded, by name."""

from __future__ import annotations

from typing import Final, Protocol, TypeVar

from models_app.ml.errors import CheckpointError, mark

from .utf8_bytes import UTF8_BYTES
from .vocabulary import Vocabulary


class Named(Protocol):
    """A network's configuration, which names its vocabulary."""

    @property
    def vocabulary(self) -> str: ...


_V = TypeVar("_V", bound=Vocabulary)
_loaded: Final[dict[str, Vocabulary]] = {UTF8_BYTES.name: UTF8_BYTES}


def register(vocabulary: _V) -> _V:
    """Make the vocabulary available to networks that name it, and return it."""
    _loaded[vocabulary.name] = vocabulary
    return vocabulary


def read(name: str, text: str) -> None:
    """Register the vocabulary in a tokenizer.json. Raises CheckpointError unless it has this name."""
    from .bpe import BpeVocabulary  # only here: networks of bytes don't need the library

    vocabulary = BpeVocabulary.from_json(text)
    if vocabulary.name != name:
        raise CheckpointError(
            mark("tokenizer.json holds %(name)s, not %(name2)s. Restore the model from a backup."),
            name=vocabulary.name,
            name2=name,
        )
    register(vocabulary)


def is_loaded(name: str) -> bool:
    """Return whether a vocabulary of this name is registered."""
    return name in _loaded


def vocabulary_of(config: Named) -> Vocabulary:
    """Return the network's vocabulary. Raises CheckpointError if nothing has registered it."""
    try:
        return _loaded[config.vocabulary]
    except KeyError:
        raise CheckpointError(
            mark("The vocabulary %(vocabulary)s isn’t loaded. Restore the model’s tokenizer.json from a backup."),
            vocabulary=config.vocabulary,
        ) from None
