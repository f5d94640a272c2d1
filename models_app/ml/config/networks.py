"""The architecture of a network of our own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypedDict

from models_app.ml.config.values import Values, whole
from models_app.ml.errors import BadSetting, mark

#: The vocabulary of the small networks, and the names of all (`vocabulary`).
BYTES: Final = "utf8-bytes"
GATES: Final = ("sigmoid", "hard_sigmoid")
#: So many have all bytes, the end mark and some frequent runs. Above MAX_VOCABULARY, a symbol needs more than 16 bits.
MIN_VOCABULARY: Final = 512
MAX_VOCABULARY: Final = 2**16
MAX_CONTEXT_ROWS: Final = 2**20
MAX_CONTEXT_WIDTH: Final = 1024
_TO_LEARN: Final = "bpe-of-"
_VOCABULARY: Final = re.compile(rf"{BYTES}|bpe-[0-9a-f]{{16}}|{_TO_LEARN}[0-9]{{3,5}}")


def vocabulary_to_learn(size: int) -> str:
    """Return the name of a vocabulary of `size` symbols that a training will learn from its corpus.

    Raises BadSetting unless the size is between MIN_VOCABULARY and MAX_VOCABULARY.
    """
    whole("vocabulary", size, MIN_VOCABULARY, MAX_VOCABULARY)
    return f"{_TO_LEARN}{size}"


def size_to_learn(vocabulary: str) -> int:
    """Return the size of a vocabulary that has yet to be learned, and 0 for any other."""
    return int(vocabulary.removeprefix(_TO_LEARN)) if vocabulary.startswith(_TO_LEARN) else 0


class Traits(TypedDict):
    """What recipes depend on of a network: its kind, and whether it's a small one that reads tokens, not bytes."""

    kind: str
    tokens: bool


def traits_of(network: Mapping[str, Any]) -> Traits:
    """Return the traits of a network with these values, as `as_dict` returns them."""
    kind = network["kind"]
    return Traits(kind=kind, tokens=kind != "llama" and network.get("vocabulary", BYTES) != BYTES)


@dataclass(frozen=True, slots=True)
class NetworkConfig(Values):
    """The architecture of a network; `kind` is a key of `networks.registry.KINDS`.

    vocabulary: its name, which is that of `vocabulary_to_learn` until a training begins; embedding: width of a symbol's
    embedding; units: width of the recurrent state. For "glr" only: layers; contexts, the lengths in symbols of the
    hashed contexts (0, for bytes only: the word so far), each with an embedding table of context_rows (a power of two)
    by context_width; tied, for tokens only: the output uses the embedding, too. For "lstm" only: gates, the activation
    of its gates; "hard_sigmoid" is that of models that Keras trained before 2019.
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
    tied: bool = False

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
        if size := size_to_learn(self.vocabulary):
            vocabulary_to_learn(size)
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
        for order in self.contexts:
            whole("context", order, *((0, 6) if self.vocabulary == BYTES else (1, 3)))
        if not isinstance(self.tied, bool) or (self.tied and (self.kind != "glr" or self.vocabulary == BYTES)):
            raise BadSetting(mark("Only a network of kind glr that reads tokens can be tied."))
        if len(set(self.contexts)) < len(self.contexts):
            raise BadSetting(mark("List each context only once."))
        most = (MAX_CONTEXT_ROWS, MAX_CONTEXT_WIDTH) if self.contexts else (0, 0)
        whole("context_rows", self.context_rows, 1 if self.contexts else 0, most[0])
        whole("context_width", self.context_width, 1 if self.contexts else 0, most[1])
        if self.context_rows & (self.context_rows - 1):
            raise BadSetting(
                mark("%(name)s must be a power of two, not %(value)s."),
                name="context_rows",
                value=str(self.context_rows),
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values; those newer than the first models only if they aren't the usual."""
        values = super(NetworkConfig, self).as_dict()
        usual = {"gates": GATES[0], "tied": False}
        return {name: value for name, value in values.items() if name not in usual or value != usual[name]}

    def of_tokens(self, vocabulary: str) -> NetworkConfig:
        """Return a network of the same size that reads and writes the tokens of this vocabulary instead of bytes.

        Its contexts, if it has any, are the last two and three tokens. If these are fewer than before, their tables are
        larger. Raises BadSetting unless its kind is "glr".
        """
        if self.kind != "glr":
            raise BadSetting(mark("A vocabulary can be learned for a network of kind glr only."))
        contexts = (2, 3) if self.contexts else ()
        network = replace(self, vocabulary=vocabulary, embedding=max(1, self.units // 2), contexts=contexts, tied=True)
        if len(self.contexts) <= len(contexts):
            return network
        rows = min(MAX_CONTEXT_ROWS, 2 * self.context_rows)
        return replace(network, context_rows=rows, context_width=min(MAX_CONTEXT_WIDTH, self.context_width * 4 // 3))


#: Networks by name: the classic LSTM, and the one that learns the most in the same time.
NETWORKS: Mapping[str, NetworkConfig] = {
    "lstm": NetworkConfig(),
    "glr": NetworkConfig(
        kind="glr", embedding=64, units=512, layers=2, contexts=(2, 3, 4, 5, 6, 0), context_rows=2**15, context_width=24
    ),
}
