"""A pretrained model as its publisher's files hold it: what `gguf_file` and `hugging_face` read."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_app.ml.errors import LearningError, mark
from models_app.ml.vocabulary.bpe import END_MARKS, BpeVocabulary

from .config import LlamaConfig
from .weights import frozen_shapes


class PretrainedError(LearningError):
    """The files hold no pretrained model that this version can use. The message says what to do."""

    code = "bad_pretrained"


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A pretrained model: its architecture, frozen weights by our names, vocabulary, and what its files say of it.

    Matrices can have any floating dtype, vectors are float32.
    """

    config: LlamaConfig
    weights: dict[str, NDArray[Any]]
    vocabulary: BpeVocabulary
    name: str
    licence: str


@dataclass(frozen=True, slots=True)
class Layer:
    """The matrices of a layer as publishers store them, (outputs, inputs) each, queries and keys in halves."""

    attend_norm: NDArray[Any]
    query: NDArray[Any]
    key: NDArray[Any]
    value: NDArray[Any]
    attend_out: NDArray[Any]
    expand_norm: NDArray[Any]
    gate: NDArray[Any]
    up: NDArray[Any]
    contract: NDArray[Any]
    query_norm: NDArray[Any] | None = None
    key_norm: NDArray[Any] | None = None

    def named(self, number: int) -> dict[str, NDArray[Any]]:
        """Return the layer's weights by our names, (inputs, outputs) each."""
        norms = {"query_norm": self.query_norm, "key_norm": self.key_norm}
        return {
            **{f"{number}.{name}": norm.astype(np.float32) for name, norm in norms.items() if norm is not None},
            f"{number}.attend_norm": self.attend_norm.astype(np.float32),
            f"{number}.attend": np.concatenate([self.query, self.key, self.value]).T,
            f"{number}.attend_out": self.attend_out.T,
            f"{number}.expand_norm": self.expand_norm.astype(np.float32),
            f"{number}.expand": np.concatenate([self.gate, self.up]).T,
            f"{number}.contract": self.contract.T,
        }


def known_architecture(architecture: object, what: str, known: Iterable[str]) -> str:
    """Return the architecture. Raises PretrainedError unless it's a known one."""
    found = next((each for each in known if each == architecture), None)
    if found is None:
        raise PretrainedError(
            mark("%(model)s has the architecture %(architecture)s. Choose a Llama, Qwen3 or dense Granite model."),
            model=what,
            architecture=repr(architecture),
        )
    return found


def checked(pretrained: Pretrained, what: str) -> Pretrained:
    """Return it. Raises PretrainedError unless each weight is there, with its shape and finite."""
    shapes, weights = frozen_shapes(pretrained.config), pretrained.weights
    if missing := sorted(set(shapes) - set(weights)):
        raise PretrainedError(
            mark("%(model)s lacks %(name)s. Download it again, or choose a complete model."),
            model=what,
            name=missing[0],
        )
    for name, shape in shapes.items():
        if weights[name].shape != shape:
            raise PretrainedError(
                mark(
                    "%(model)s: %(name)s has the shape %(shape)s, but its configuration says %(shape2)s. Files of "
                    "two models may be mixed up. Download it again."
                ),
                model=what,
                name=name,
                shape=weights[name].shape,
                shape2=shape,
            )
        if not np.isfinite(weights[name].astype(np.float32, copy=False)).all():
            raise PretrainedError(
                mark("%(model)s: %(name)s contains a value that isn’t a finite number. Download it again."),
                model=what,
                name=name,
            )
    return pretrained


def end_mark(tokens: Container[str], what: str) -> str:
    """Return the token that ends a text. Raises PretrainedError if the vocabulary has none."""
    found = next((name for name in END_MARKS if name in tokens), None)
    if found is None:
        raise PretrainedError(
            mark("%(model)s has no token that ends a text (%(names)s). Choose a base model of another family."),
            model=what,
            names=", ".join(END_MARKS),
        )
    return found
