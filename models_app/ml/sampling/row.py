"""A post in progress."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models_app.ml.config import SamplingConfig

from .prompt import Prompt


@dataclass(slots=True)
class Row:
    """A draft in progress.

    text: in UTF-8; characters: the complete ones; number: among all drafts of the request; place: of the post that it
    may become; surprisals: of each symbol after the prompt, in nats, where drafts are chosen.
    """

    text: bytearray
    characters: int
    number: int
    place: int
    surprisals: list[float] = field(default_factory=list)
    is_ended: bool = False
    # The most likely end so far: length in bytes, and log probability of the end mark
    best_end: int = 0
    best_chance: float = -math.inf
    # Set at the end: the final post, or the reason for its rejection
    post: str = ""
    refused: str | None = "unfinished"
    is_judged: bool = False

    @classmethod
    def begun(cls, prompt: Prompt, number: int, place: int) -> Self:
        """Return a row with as much of the prompt as the network reads."""
        return cls(bytearray(prompt.begun), prompt.characters, number, place)


def extend(row: Row, data: bytes, characters: int, is_end: bool, config: SamplingConfig) -> bool:
    """Append a symbol, its bytes and the characters it completes; return whether the post continues."""
    room = config.max_characters - row.characters
    # At the limit, one more symbol is drawn to find out whether the post ends exactly there.
    if is_end or room == 0 or characters > room:
        row.is_ended = is_end
        return False
    row.text += data
    row.characters += characters
    return True


def note_chance_to_end(row: Row, logits: NDArray[Any], end: int, prompt_characters: int) -> None:
    """Remember the place after the prompt with the highest probability of the end mark."""
    if row.characters > prompt_characters and logits[end] > -math.inf:
        chance = float(logits[end] - logits.max() - np.log(np.exp(logits - logits.max()).sum()))
        if chance > row.best_chance:
            row.best_chance, row.best_end = chance, len(row.text)
