"""A style detector: tells one person's posts from others by their spelling.

Multinomial naive Bayes on character n-grams of length 1 to 4, each counted once per post. They capture topics, words,
spelling, capitals and punctuation. Links, @mentions, the repost prefix, line breaks and everything after 280 characters
are removed from both sides first: they would give the author away but aren't style.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models_app.ml.words import LINK, MENTION

LONGEST_RUN: Final = 4
MAX_CHARACTERS: Final = 280
SMOOTHING: Final = 0.1  # added to each count, so that an n-gram seen on one side only doesn't decide alone
_BITS: Final = 18  # n-grams are hashed to this many bits: about 100,000 occur, so there are few collisions
_REPOST: Final = re.compile(r"^RT\b[\s:]*")
_MASK: Final = re.compile("[@＠]…")
_START, _END = "\x02", "\x03"
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class VoiceClassifier:
    """A style detector. weights (2**18,): log ratio of each hashed n-gram's frequencies, person over others."""

    weights: NDArray[np.float64]

    @classmethod
    def of(cls, person: Sequence[str], others: Sequence[str]) -> Self:
        """Return a classifier trained on both sides. They have equal priors, so pass about as many posts of each."""
        own, other = (
            np.bincount(_runs(posts)[1], minlength=1 << _BITS).astype(np.float64) for posts in (person, others)
        )
        seen = own + other > 0
        count = max(1, int(seen.sum()))
        weights = np.where(seen, _logarithms(own, count) - _logarithms(other, count), 0.0)
        weights.setflags(write=False)
        return cls(weights)

    def evidence(self, posts: Sequence[str]) -> NDArray[np.float64]:
        """Return each post's log odds (P,) of being the person's. Those of a post of only links and names are 0."""
        owners, runs = _runs(posts)
        return np.bincount(owners, weights=self.weights[runs], minlength=len(posts)).astype(np.float64)

    def recognised(self, posts: Sequence[str]) -> NDArray[np.bool_]:
        """Return whether each post (P,) passes for the person's. A post of only links and names doesn't."""
        return self.evidence(posts) > 0

    def is_persons(self, post: str) -> bool:
        """Return whether the post passes for the person's."""
        return bool(self.recognised([post])[0])


def normalised(post: str) -> str:
    """Return the post as the classifier reads it: empty if it has only links, mentions and spaces."""
    text = MENTION.sub(" ", _MASK.sub(" ", LINK.sub(" ", post)))
    return " ".join(_REPOST.sub("", text.strip()).split())[:MAX_CHARACTERS]


def _logarithms(counts: NDArray[np.float64], seen: int) -> NDArray[np.float64]:
    """Return the log frequency of each n-gram, smoothed over the `seen` n-grams that occur on either side."""
    shares: NDArray[np.float64] = np.log((counts + SMOOTHING) / (counts.sum() + SMOOTHING * seen))
    return shares


def _runs(posts: Iterable[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (post, hashed n-gram) for each distinct n-gram of each post, with marks for its start and end."""
    texts = [normalised(post) for post in posts]
    texts = [f"{_START}{text}{_END}" if text else "" for text in texts]
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "replace"), np.uint32).astype(np.uint64)
    owners = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    hashes = np.zeros(len(codes), np.uint64)
    found: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for length in range(1, LONGEST_RUN + 1):
        count = max(0, len(codes) - length + 1)
        hashes = (hashes[:count] + codes[length - 1 :] + np.uint64(length)) * _MULTIPLIER
        hashes ^= hashes >> np.uint64(29)
        whole = owners[:count] == owners[length - 1 :]
        places = (hashes[whole] >> np.uint64(64 - _BITS)).astype(np.int64)
        found.append(owners[:count][whole] << _BITS | places)
    pairs = np.unique(np.concatenate(found))
    return pairs >> _BITS, pairs & ((1 << _BITS) - 1)
