"""How well a checkpoint predicts posts, in bits per character. NumPy only; every symbol counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.errors import TooFewPosts, mark
from models_app.ml.networks.registry import Stepper
from models_app.ml.networks.states import State
from models_app.ml.sampling.context import state_after
from models_app.ml.vocabulary import Symbols, Vocabulary, vocabulary_of

from .text_classes import KINDS, kinds_of

CHUNK: Final = 4096  # posts in memory at once, sorted by length so that a batch's posts end at about the same step
ROWS: Final = 256
#: The most logits at once: fewer rows for large vocabularies.
LOGITS: Final = 2**21


@dataclass(frozen=True, slots=True)
class Part:
    """One class of text: its number of characters (an end mark counts as one) and its bits per character."""

    characters: int
    bits_per_character: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of an evaluation.

    bits_per_character: code length of all posts, per Unicode character, with one end mark per post; characters: Unicode
    characters without end marks; posts: number of posts; parts: the same for each class of text (`text_classes`) that
    occurs.
    """

    bits_per_character: float
    characters: int
    posts: int
    parts: dict[str, Part] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return what `dataclasses.asdict` has taken apart."""
        return cls(**{**values, "parts": {name: Part(**part) for name, part in values["parts"].items()}})


def evaluate(
    checkpoint: Checkpoint,
    posts: Iterable[str],
    on_progress: Callable[[int], None] | None = None,
    *,
    context: Sequence[str] = (),
) -> Evaluation:
    """Return the evaluation on all posts in constant memory, each as the first one after the posts of `context`.

    Calls `on_progress` with the number of posts measured so far. Raises TooFewPosts if there are none.
    """
    # Before the vocabulary, which a pretrained model brings with it.
    stepper = checkpoint.stepper()
    vocabulary = vocabulary_of(checkpoint.network)
    at_once = max(1, min(ROWS, LOGITS // vocabulary.size, stepper.rows_at_once))
    begun = state_after(context, stepper, vocabulary)
    nats, characters = np.zeros(len(KINDS)), np.zeros(len(KINDS), np.int64)
    count = 0
    for chunk in _chunks(posts):
        encoded = ((vocabulary.encode(post), post) for post in chunk)
        ordered = sorted(encoded, key=lambda pair: len(pair[0]), reverse=True)
        for start in range(0, len(ordered), at_once):
            rows = ordered[start : start + at_once]
            found = surprisals(stepper, [row for row, _ in rows], vocabulary, begun)
            for (row, post), surprisal in zip(rows, found, strict=True):
                kinds, sizes = kinds_of(post)
                nats += np.bincount(np.repeat(kinds, sizes), by_byte(surprisal, row, vocabulary), len(KINDS))
                characters += np.bincount(kinds, minlength=len(KINDS))
            count += len(rows)
            if on_progress is not None:
                on_progress(count)
    if not count:
        raise TooFewPosts(mark("There are no posts to evaluate the model on. Add some."))
    bits = nats / math.log(2)
    parts = {
        name: Part(int(characters[index]), float(bits[index] / characters[index]))
        for index, name in enumerate(KINDS)
        if characters[index]
    }
    whole = int(characters.sum())
    return Evaluation(float(bits.sum() / whole), whole - count, count, parts)


def by_byte(surprisal: NDArray[np.float64], row: Symbols, vocabulary: Vocabulary) -> NDArray[np.float64]:
    """Return the surprisal of each byte of a post and of its end mark: that of a symbol, spread over its bytes."""
    lengths = np.append(vocabulary.byte_lengths[row], 1)
    return np.repeat(surprisal[: lengths.size] / lengths, lengths)


def surprisals(
    stepper: Stepper, rows: list[Symbols], vocabulary: Vocabulary, begun: State | None = None
) -> NDArray[np.float64]:
    """Return -ln of each symbol's probability, including end marks, (B, longest + 1); 0 after the end of a row.

    The posts must be sorted, longest first. `begun`: the state in which each begins.
    """
    lengths = np.array([row.size + 1 for row in rows])
    # The end mark, the post, the end mark
    symbols = np.full((len(rows), lengths[0] + 1), vocabulary.end, vocabulary.dtype)
    for index, row in enumerate(rows):
        symbols[index, 1 : row.size + 1] = row
    state = stepper.start(len(rows)) if begun is None else begun.fork(len(rows))
    running = len(rows)
    found = np.zeros((len(rows), int(lengths[0])))
    for step in range(int(lengths[0])):
        # Longest first: the unfinished rows are always the first ones.
        running, before = int(np.searchsorted(-lengths, -step, side="left")), running
        if running < before:
            state = state.pick(np.arange(running))
        logits, state = stepper.step(symbols[:running, step], state)
        logits -= logits.max(axis=1, keepdims=True)
        wanted = logits[np.arange(running), symbols[:running, step + 1]]
        found[:running, step] = np.log(np.exp(logits).sum(axis=1, dtype=np.float64)) - wanted
    return found


def _chunks(posts: Iterable[str]) -> Iterator[list[str]]:
    source = iter(posts)
    while chunk := list(islice(source, CHUNK)):
        yield chunk
