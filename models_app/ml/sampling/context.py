"""Posts that a network has just read when it writes the next one: it writes like them without having learned them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from models_app.ml.networks.registry import Stepper
from models_app.ml.networks.states import State
from models_app.ml.vocabulary import Vocabulary

#: Characters of the posts in a context: more takes longer to read, and more memory for each post that is written.
CHARACTERS: Final = 1600
#: Symbols in a context, start marks included: each takes memory in every post that is written. With CHARACTERS, the
#: English posts of docs/fluent.md have 330 to 503 symbols. Japanese ones have 2,800, and emoji 4,400.
MAX_SYMBOLS: Final = 512


def fitting(newest_first: Iterable[str]) -> list[str]:
    """Return the posts for a context, oldest first: the first ones that together have at most CHARACTERS.

    If the first one alone is longer, it's the only one, and it's cut.
    """
    found: list[str] = []
    left = CHARACTERS
    for post in newest_first:
        if found and len(post) > left:
            break
        found.append(post[:left])
        left -= len(found[-1])
        if not left:
            break
    return found[::-1]


def within(posts: Sequence[str], vocabulary: Vocabulary) -> list[str]:
    """Return the last ones of these posts, oldest first, that together have at most MAX_SYMBOLS.

    If the last one alone has more, it's the only one, and it's cut.
    """
    found: list[str] = []
    left = MAX_SYMBOLS
    for post in reversed(posts):
        symbols = len(vocabulary.encode(post)) + 1
        if symbols > left:
            break
        found.append(post)
        left -= symbols
    return found[::-1] if found else [_beginning(post, vocabulary) for post in posts[-1:]]


def _beginning(post: str, vocabulary: Vocabulary) -> str:
    """Return as much of the post as fits in a context."""
    while (symbols := len(vocabulary.encode(post)) + 1) > MAX_SYMBOLS:
        post = post[: len(post) * MAX_SYMBOLS // symbols]
    return post


def state_after(posts: Sequence[str], stepper: Stepper, vocabulary: Vocabulary) -> State | None:
    """Return the state of one text after those of these posts that are `within` a context; None without any.

    Each post has its start mark. The start mark of the next post isn't read yet.
    """
    start = np.array([vocabulary.end], vocabulary.dtype)
    parts = [part for post in within(posts, vocabulary) for part in (start, vocabulary.encode(post))]
    if not parts:
        return None
    symbols, state = np.concatenate(parts), stepper.start(1)
    for begin in range(0, len(symbols), stepper.reads_at_once):
        state = stepper.read(symbols[None, begin : begin + stepper.reads_at_once], state)[1]
    return state
