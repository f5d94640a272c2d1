"""The architecture of a network of our own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from models_app.ml.config.values import Values, whole
from models_app.ml.errors import BadSetting, mark

#: The vocabulary of the small networks, and the names of all (`vocabulary`).
BYTES: Final = "utf8-bytes"
GATES: Final = ("sigmoid", "hard_sigmoid")
_VOCABULARY: Final = re.compile(rf"{BYTES}|bpe-[0-9a-f]{{16}}")


@dataclass(frozen=True, slots=True)
class NetworkConfig(Values):
    """The architecture of a network; `kind` is a key of `networks.registry.KINDS`, `vocabulary` a vocabulary's name.

    embedding: width of a symbol's embedding; units: width of the recurrent state. For "glr" only: layers; contexts, the
    lengths in bytes of the hashed contexts (0: the word so far), each with an embedding table of context_rows (a power
    of two) by context_width. For "lstm" only: gates, the activation of its gates; "hard_sigmoid" is that of models that
    Keras trained before 2019.
    """

    kind: Literal["lstm", "glr"] = "lstm"
    vocabulary: str = BYTES
    embedding: int = 64
    units: int = 512
    layers: int = 1
    contexts: tuple[int, ...] = ()
    context_rows: int = 0
    context_width: int = 0
    gates: Literal["sigmoid", "hard_sigmoid"] = "sigmoid"

    def __post_init__(self) -> None:
        if self.kind not in ("lstm", "glr"):
            raise BadSetting(
                mark("There’s no network of kind %(kind)s. Choose %(first)s or %(second)s."),
                kind=repr(self.kind),
                first="lstm",
                second="glr",
            )
        if not isinstance(self.vocabulary, str) or not _VOCABULARY.fullmatch(self.vocabulary):
            raise BadSetting(
                mark("There’s no vocabulary %(name)s. The small networks have %(own)s."),
                name=repr(self.vocabulary),
                own=BYTES,
            )
        whole("embedding", self.embedding, 1, 4096)
        whole("units", self.units, 1, 8192)
        whole("layers", self.layers, 1, 1 if self.kind == "lstm" else 32)
        if not isinstance(self.contexts, (list, tuple)):
            raise BadSetting(
                mark("%(name)s must be a list of lengths, not %(value)s."), name="contexts", value=repr(self.contexts)
            )
        object.__setattr__(self, "contexts", tuple(self.contexts))  # JSON has lists only
        if self.kind == "lstm" and self.contexts:
            raise BadSetting(mark("A network of kind %(kind)s has no contexts."), kind="lstm")
        if self.gates not in GATES or (self.kind != "lstm" and self.gates != GATES[0]):
            raise BadSetting(
                mark("%(name)s must be one of %(known)s, not %(value)s."),
                name="gates",
                known=", ".join(GATES if self.kind == "lstm" else GATES[:1]),
                value=repr(self.gates),
            )
        if self.vocabulary != BYTES and self.contexts:
            raise BadSetting(mark("Contexts are made of bytes, so they need the vocabulary %(name)s."), name=BYTES)
        for order in self.contexts:
            whole("context", order, 0, 6)
        if len(set(self.contexts)) < len(self.contexts):
            raise BadSetting(mark("List each context only once."))
        whole("context_rows", self.context_rows, 1 if self.contexts else 0, 2**20 if self.contexts else 0)
        whole("context_width", self.context_width, 1 if self.contexts else 0, 1024 if self.contexts else 0)
        if self.context_rows & (self.context_rows - 1):
            raise BadSetting(
                mark("%(name)s must be a power of two, not %(value)s."),
                name="context_rows",
                value=str(self.context_rows),
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values; `gates` only if they aren't the usual ones."""
        values = super(NetworkConfig, self).as_dict()
        return {name: value for name, value in values.items() if name != "gates" or value != GATES[0]}


#: Networks by name: the classic LSTM, and the one that learns the most in the same time (docs/base-model.md).
NETWORKS: Mapping[str, NetworkConfig] = {
    "lstm": NetworkConfig(),
    "glr": NetworkConfig(
        kind="glr", embedding=64, units=512, layers=2, contexts=(2, 3, 4, 5, 6, 0), context_rows=2**15, context_width=24
    ),
}
