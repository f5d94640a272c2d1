"""How much each word of a post surprises a model, in bits. NumPy only."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.vocabulary import vocabulary_of

from .evaluation import by_byte, surprisals

#: How many held-out posts a report card has, and how long they are, in characters, so that people can look at them.
POSTS: Final = 3
SHORTEST, LONGEST = 30, 200
_WORD: Final = re.compile(r"\s*\S+")


@dataclass(frozen=True, slots=True)
class Surprise:
    """A held-out post, by its index, and the bits that each of its words costs the base model and the bot."""

    post: int
    base: tuple[float, ...]
    bot: tuple[float, ...]


def words_of(post: str) -> list[str]:
    """Return the words of a post, each with the space before it."""
    return _WORD.findall(post)


def surprises(
    bot: Checkpoint,
    base: Checkpoint,
    held_out: Sequence[str],
    *,
    seed: int,
    known: CopyGuard | None = None,
    between: Callable[[], None] = lambda: None,
) -> tuple[Surprise, ...]:
    """Return how surprised both models are by a few held-out posts of medium length, chosen at random.

    `known` knows posts that the bot has learned all the same, from a model that it started from. Calls `between` now
    and then; if it raises, the work ends.
    """
    order = np.random.default_rng(seed).permutation(len(held_out)).tolist()
    fitting = [index for index in order if SHORTEST <= len(held_out[index]) <= LONGEST]
    new = [index for index in fitting if known is None or not known.is_copy(held_out[index])]
    chosen = new[:POSTS]
    posts = [held_out[index] for index in chosen]
    by_base = bits_of_words(base, posts, between)
    by_bot = by_base if bot is base else bits_of_words(bot, posts, between)
    return tuple(Surprise(*found) for found in zip(chosen, by_base, by_bot, strict=True))


def bits_of_words(
    checkpoint: Checkpoint, posts: Sequence[str], between: Callable[[], None] = lambda: None
) -> list[tuple[float, ...]]:
    """Return the bits of each word of each post, which are those of its symbols. The end mark isn't a word."""
    stepper = checkpoint.stepper()
    vocabulary = vocabulary_of(checkpoint.network)
    found = []
    for post in posts:
        between()
        row = vocabulary.encode(post)
        each = np.cumsum(by_byte(surprisals(stepper, [row], vocabulary)[0], row, vocabulary)) / math.log(2)
        ends = np.cumsum([len(word.encode()) for word in words_of(post)])
        bits = np.diff(each[ends - 1], prepend=0.0)
        found.append(tuple(round(float(value), 2) for value in bits))
    return found
