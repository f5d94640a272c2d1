"""Prompts: how posts begin, in the symbols of a vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models_app.ml.vocabulary import Symbols, Vocabulary
from models_app.ml.vocabulary.utf8 import BOUNDARY, is_incomplete, utf8
from models_app.ml.words import in_spaced_word

#: Behind a word, each lets it go on and isn't part of the post.
_DOTS: Final = ("…", "...")


@dataclass(frozen=True, slots=True)
class Prompt:
    """How posts begin.

    text: the beginning of the posts; goes_on: whether its last word goes on, None if it doesn't end in one; whole: the
    text in UTF-8; begun: the part of it that the network reads, as `symbols`; characters: the complete ones in `begun`;
    state: of the automaton after `begun`. The rest of the text is drawn, from the symbols that continue it, because the
    symbols of a whole word can be others than those of its beginning.
    """

    text: str
    goes_on: bool | None
    whole: bytes
    begun: bytes
    symbols: Symbols
    characters: int
    state: int

    @classmethod
    def of(cls, typed: str, vocabulary: Vocabulary) -> Self:
        """Return the prompt that a person typed.

        Its words are whole: "The Moon" isn't continued as "Moonlight". "Moon…" and "Moon..." are, and "half-" is
        continued by another word. Words that no spaces separate can always go on.
        """
        text, goes_on = _read(typed)
        symbols, pending = vocabulary.encode(text), b""
        # Behind a whole word and behind a hyphen, another symbol begins.
        if goes_on is None or text != typed:
            symbols, pending = vocabulary.heal(symbols)
        tables, whole = vocabulary.tables, utf8(text)
        state, characters = BOUNDARY, 0
        for symbol in symbols.tolist():
            characters += int(tables.completed[state, symbol])
            state = int(tables.next_state[state, symbol])
        return cls(text, goes_on, whole, whole[: len(whole) - len(pending)], symbols, characters, state)


def hold_to(prompt: Prompt, texts: list[bytearray], barred: NDArray[np.float32], vocabulary: Vocabulary) -> bool:
    """Bar the symbols (B, size) that don't continue the prompt; return whether any text (UTF-8) hasn't got past it."""
    held = False
    for text, line in zip(texts, barred, strict=True):
        added = bytes(text[len(prompt.whole) :])
        if len(text) < len(prompt.whole):
            possible = vocabulary.continuing(prompt.whole[len(text) :])
        elif prompt.goes_on is not None and is_incomplete(added):
            possible = vocabulary.beginning(added, in_word=prompt.goes_on)
        elif not added:
            possible = np.delete(np.arange(vocabulary.size), vocabulary.end)  # the prompt alone isn't a post
        else:
            continue
        kept = line[possible]
        line[:] = -np.inf
        line[possible] = kept
        held = True
    return held


def _read(typed: str) -> tuple[str, bool | None]:
    """Return the text of a prompt, and whether its last word goes on, None if it doesn't end in one."""
    for dots in _DOTS:
        text = typed.removesuffix(dots)
        if text != typed and _ends_in_word(text):
            return text, True
    if typed.endswith("-") and _ends_in_word(typed[:-1]):
        return typed, True
    return typed, False if _ends_in_word(typed) else None


def _ends_in_word(text: str) -> bool:
    return text != "" and in_spaced_word(text[-1])
