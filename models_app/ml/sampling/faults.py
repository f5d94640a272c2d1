"""Faults that a reader notices at once: a post that stops halfway, repeats itself or says next to nothing.

A draft with a fault is written again while tries are left (docs/fluent.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from models_app.ml.words import words

#: A post with fewer words says next to nothing.
MIN_WORDS: Final = 3
#: A run of this many words that comes twice is a repetition.
REPEATED_WORDS: Final = 4
_REPOST: Final = re.compile(r"RT\b")
#: How posts end that aren't at their end.
_DANGLING: Final = re.compile(
    r"(?:[:,&@#(\[“]|\s[-–—]|\b(?:the|an|of|and|or|my|your|our|their|its|via|RT))$", re.IGNORECASE
)
_FACE: Final = re.compile(r"[:;=8xX][’'-]?[()\[\]]|[()\[\]][’'-]?[:;=]|(?<!\w)\w{1,2}[).](?=\s)")
_SENTENCE: Final = re.compile(r"[.!?…\n]+")
_PAIRS: Final = (("“", "”"), ("(", ")"), ("[", "]"))


def _is_repost(post: str) -> bool:
    return _REPOST.match(post) is not None


def _stops_halfway(post: str) -> bool:
    return _DANGLING.search(post.rstrip()) is not None


def _leaves_open(post: str) -> bool:
    """Return whether a quotation or a bracket isn't closed. Faces and numbers of lists have single brackets."""
    text = _FACE.sub(" ", post)
    # A quotation mark behind a digit can be inches.
    return re.sub(r'(?<=\d)"', "", text).count('"') % 2 == 1 or any(
        text.count(first) != text.count(last) for first, last in _PAIRS
    )


def _says_nothing(post: str) -> bool:
    return len(words(post)) < MIN_WORDS


def _repeats(post: str) -> bool:
    found = words(post)
    runs = list(zip(*(found[first:] for first in range(REPEATED_WORDS)), strict=False))
    if len(set(runs)) < len(runs):
        return True
    # Two or three words, and at once the same again.
    for size in (2, 3):
        for place in range(len(found) - 2 * size + 1):
            run = found[place : place + size]
            if len(set(run)) > 1 and run == found[place + size : place + 2 * size]:
                return True
    sentences = [" ".join(words(part)) for part in _SENTENCE.split(post)]
    long = [sentence for sentence in sentences if sentence.count(" ") >= 2]
    return len(set(long)) < len(long)


#: Each fault, and how to tell it.
FAULTS: Final[dict[str, Callable[[str], bool]]] = {
    "repost": _is_repost,
    "halfway": _stops_halfway,
    "open": _leaves_open,
    "short": _says_nothing,
    "repeats": _repeats,
}


def best_first(posts: Iterable[str]) -> list[str]:
    """Return the posts in the order in which to show some of them.

    Those without a fault come first. Of these, posts whose first two words no earlier one has come before the others.
    """
    begun = set[tuple[str, ...]]()

    def rank(post: str) -> int:
        if fault_of(post) is not None:
            return 2
        beginning = tuple(words(post)[:2])
        is_new = beginning not in begun
        begun.add(beginning)
        return 0 if is_new else 1

    return sorted(posts, key=rank)


def fault_of(post: str) -> str | None:
    """Return the first fault of a post, as a name of FAULTS, or None."""
    return next((name for name, has in FAULTS.items() if has(post)), None)
