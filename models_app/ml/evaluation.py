"""How well a checkpoint foresees posts, in bits a character: NumPy alone, nothing skipped."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .checkpoint import Checkpoint
from .errors import TooFewPosts
from .kinds import Stepper, kind_of
from .vocabulary import END, encode

CHUNK: Final = 4096  # posts in memory at a time, sorted by length so that a batch's posts end at about the same step
ROWS: Final = 256


@dataclass(frozen=True, slots=True)
class Evaluation:
    """bits_per_character: code length of all posts with their end marks, over Unicode characters plus one mark a post.

    characters: Unicode characters, end marks not counted; posts: how many were measured.
    """

    bits_per_character: float
    characters: int
    posts: int


def evaluate(
    checkpoint: Checkpoint, posts: Iterable[str], on_progress: Callable[[int], None] | None = None
) -> Evaluation:
    """Returns the evaluation on all posts, each read from zero state; constant memory for any number of posts.

    `on_progress` gets the number of posts measured so far. Raises TooFewPosts where there is none.
    """
    stepper = kind_of(checkpoint.network).stepper(checkpoint.network, checkpoint.weights)
    nats, characters, count = 0.0, 0, 0
    for chunk in _chunks(posts):
        encoded = sorted((encode(post) for post in chunk), key=len, reverse=True)
        characters += sum(map(len, chunk))
        for start in range(0, len(encoded), ROWS):
            rows = encoded[start : start + ROWS]
            nats += code_length(stepper, rows)
            count += len(rows)
            if on_progress is not None:
                on_progress(count)
    if not count:
        raise TooFewPosts("There is no post to evaluate the model on.")
    return Evaluation(nats / math.log(2) / (characters + count), characters, count)


def code_length(stepper: Stepper, rows: list[NDArray[np.uint8]]) -> float:
    """Returns the summed code length in nats of posts given longest first, end marks included."""
    lengths = np.array([row.size + 1 for row in rows])
    symbols = np.full((len(rows), lengths[0] + 1), END, np.uint8)  # END, the post, END
    for index, row in enumerate(rows):
        symbols[index, 1 : row.size + 1] = row
    state = stepper.start(len(rows))
    total = 0.0
    for step in range(int(lengths[0])):
        # Longest first: the rows that still run are always the first ones.
        running = int(np.searchsorted(-lengths, -step, side="left"))
        state = tuple(part[:running] for part in state)
        logits, state = stepper.step(symbols[:running, step], state)
        logits -= logits.max(axis=1, keepdims=True)
        wanted = logits[np.arange(running), symbols[:running, step + 1]]
        total += float((np.log(np.exp(logits).sum(axis=1, dtype=np.float64)) - wanted).sum())
    return total


def _chunks(posts: Iterable[str]) -> Iterator[list[str]]:
    source = iter(posts)
    while chunk := list(islice(source, CHUNK)):
        yield chunk
