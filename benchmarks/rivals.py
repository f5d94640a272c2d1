"""The classical rivals of a network, which count what followed what. None imports TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np

from . import ppmd
from .common import say
from .ngram import KneserNey, Numbers, mixed
from .personas import BaseCorpus, Persona, characters_and_marks, joined
from .results import Outcome

BASE_ORDER: Final = 8
PERSONA_ORDERS: Final = (4, 5, 6, 7, 8)


class KneserNeyMixture:
    """A mixture of two interpolated Kneser-Ney models, of the base corpus and of the persona.

    The weight depends on the length of the context that the persona's model knows (fitted on validation). The order of
    the persona's model is the best one on validation. Neither learns from what it is measured on.
    """

    def __init__(self, corpus: BaseCorpus) -> None:
        self._corpus = corpus

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        return {"corpus": self._corpus.described(), "orders": [BASE_ORDER, *PERSONA_ORDERS]}

    @cached_property
    def _general(self) -> KneserNey:
        symbols = self._corpus.symbols
        say("counting the base corpus for Kneser-Ney")
        return KneserNey(symbols, [BASE_ORDER])

    def run(self, persona: Persona, seed: int) -> Outcome:
        general = self._general  # done once for all personas, so it isn't in the seconds
        begun = time.perf_counter()
        own = KneserNey(joined(persona.train), PERSONA_ORDERS)
        validation, test = joined(persona.validation), joined(persona.test)
        base, of_persona = general.probabilities(validation), own.probabilities(validation)
        known = own.longest_known(validation)
        best: tuple[float, int, Numbers] | None = None
        for order in PERSONA_ORDERS:
            weights = mixed(of_persona[order], base[BASE_ORDER], known)
            share = weights[known]
            bits = code_length(share * of_persona[order] + (1 - share) * base[BASE_ORDER], persona.validation)
            if best is None or bits < best[0]:
                best = bits, order, weights
        assert best is not None
        bits, order, weights = best
        seconds = time.perf_counter() - begun
        share = weights[own.longest_known(test)]
        mixture = share * own.probabilities(test)[order] + (1 - share) * general.probabilities(test)[BASE_ORDER]
        return Outcome(code_length(mixture, persona.test), bits, seconds, 0, {"order": order})


def code_length(probabilities: Numbers, posts: Sequence[str]) -> float:
    """Return bits per character of posts whose symbols have these probabilities."""
    return float(-np.log2(probabilities).sum()) / characters_and_marks(posts)


class Ppmd:
    """PPMd, primed with the base corpus and the persona. Unlike the others, it learns from what it is measured on."""

    def __init__(self, corpus: BaseCorpus) -> None:
        self._corpus = corpus

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        return {"corpus": self._corpus.described(), "order": ppmd.ORDER}

    @cached_property
    def _coder(self) -> ppmd.Coder:
        return ppmd.Coder(self._corpus.symbols)

    def run(self, persona: Persona, seed: int) -> Outcome:
        coder, train = self._coder, joined(persona.train)
        validation = coder.bits(train, joined(persona.validation)) / characters_and_marks(persona.validation)
        begun = time.perf_counter()
        bits = coder.bits(train, joined(persona.test)) / characters_and_marks(persona.test)
        return Outcome(bits, validation, time.perf_counter() - begun, 0)
