"""Prompts: how posts begin, in the symbols of a vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models_app.ml.vocabulary import Symbols, Vocabulary
from models_app.ml.vocabulary.utf8 import BOUNDARY, utf8


@dataclass(frozen=True, slots=True)
class Prompt:
    """How posts begin.

    whole: the prompt in UTF-8; begun: the part of it that the network reads, as `symbols`; characters: the complete
    ones in `begun`; state: of the automaton after `begun`. The rest of the prompt is drawn, from the symbols that
    continue it, because the symbols of a whole word can be others than those of its beginning.
    """

    whole: bytes
    begun: bytes
    symbols: Symbols
    characters: int
    state: int

    @classmethod
    def of(cls, text: str, vocabulary: Vocabulary) -> Self:
        """Return the prompt of this text."""
        symbols, pending = vocabulary.heal(vocabulary.encode(text))
        tables, whole = vocabulary.tables, utf8(text)
        state, characters = BOUNDARY, 0
        for symbol in symbols.tolist():
            characters += int(tables.completed[state, symbol])
            state = int(tables.next_state[state, symbol])
        return cls(whole, whole[: len(whole) - len(pending)], symbols, characters, state)


def hold_to(prompt: Prompt, texts: list[bytearray], barred: NDArray[np.float32], vocabulary: Vocabulary) -> bool:
    """Bar the symbols (B, size) that don't continue the prompt; return whether any text (UTF-8) hasn't got past it."""
    held = False
    for text, line in zip(texts, barred, strict=True):
        if len(text) < len(prompt.whole):
            possible = vocabulary.continuing(prompt.whole[len(text) :])
            kept = line[possible]
            line[:] = -np.inf
            line[possible] = kept
        elif len(text) == len(prompt.whole):
            line[vocabulary.end] = -np.inf  # the prompt alone isn't a post
        else:
            continue
        held = True
    return held
