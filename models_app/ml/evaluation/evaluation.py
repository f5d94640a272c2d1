"""How well a checkpoint foresees posts, in bits a character: NumPy alone, nothing skipped."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.errors import TooFewPosts
from models_app.ml.networks.registry import Stepper, kind_of
from models_app.ml.vocabulary import END, encode

from .text_classes import KINDS, kinds_of

CHUNK: Final = 4096  # posts in memory at a time, sorted by length so that a batch's posts end at about the same step
ROWS: Final = 256


@dataclass(frozen=True, slots=True)
class Part:
    """Of what is of one kind: its characters (an end mark is one), and its code length over these."""

    characters: int
    bits_per_character: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """bits_per_character: code length of all posts with their end marks, over Unicode characters plus one mark a post.

    characters: Unicode characters, end marks not counted; posts: how many were measured; parts: the same by kind of
    text (`text_kinds`), of those that there are.
    """

    bits_per_character: float
    characters: int
    posts: int
    parts: dict[str, Part] = field(default_factory=dict)


def evaluate(
    checkpoint: Checkpoint, posts: Iterable[str], on_progress: Callable[[int], None] | None = None
) -> Evaluation:
    """Return the evaluation on all posts, each read from zero state; constant memory for any number of posts.

    `on_progress` gets the number of posts measured so far. Raises TooFewPosts where there is none.
    """
    stepper = kind_of(checkpoint.network).stepper(checkpoint.network, checkpoint.weights)
    nats, characters = np.zeros(len(KINDS)), np.zeros(len(KINDS), np.int64)
    count = 0
    for chunk in _chunks(posts):
        ordered = sorted(((encode(post), post) for post in chunk), key=lambda pair: len(pair[0]), reverse=True)
        for start in range(0, len(ordered), ROWS):
            rows = ordered[start : start + ROWS]
            for (_, post), surprisal in zip(rows, _surprisals(stepper, [row for row, _ in rows]), strict=True):
                kinds, sizes = kinds_of(post)
                nats += np.bincount(np.repeat(kinds, sizes), surprisal[: sizes.sum()], len(KINDS))
                characters += np.bincount(kinds, minlength=len(KINDS))
            count += len(rows)
            if on_progress is not None:
                on_progress(count)
    if not count:
        raise TooFewPosts("There is no post to evaluate the model on.")
    bits = nats / math.log(2)
    parts = {
        name: Part(int(characters[index]), float(bits[index] / characters[index]))
        for index, name in enumerate(KINDS)
        if characters[index]
    }
    whole = int(characters.sum())
    return Evaluation(float(bits.sum() / whole), whole - count, count, parts)


def _surprisals(stepper: Stepper, rows: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Return -ln of the probability of each symbol, end marks included, of posts given longest first.

    (B, longest + 1); 0 after the end of a row.
    """
    lengths = np.array([row.size + 1 for row in rows])
    symbols = np.full((len(rows), lengths[0] + 1), END, np.uint8)  # END, the post, END
    for index, row in enumerate(rows):
        symbols[index, 1 : row.size + 1] = row
    state = stepper.start(len(rows))
    surprisals = np.zeros((len(rows), int(lengths[0])))
    for step in range(int(lengths[0])):
        # Longest first: the rows that still run are always the first ones.
        running = int(np.searchsorted(-lengths, -step, side="left"))
        state = tuple(part[:running] for part in state)
        logits, state = stepper.step(symbols[:running, step], state)
        logits -= logits.max(axis=1, keepdims=True)
        wanted = logits[np.arange(running), symbols[:running, step + 1]]
        surprisals[:running, step] = np.log(np.exp(logits).sum(axis=1, dtype=np.float64)) - wanted
    return surprisals


def _chunks(posts: Iterable[str]) -> Iterator[list[str]]:
    source = iter(posts)
    while chunk := list(islice(source, CHUNK)):
        yield chunk
