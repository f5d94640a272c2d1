"""Whose post is it? A classifier that tells one person's posts from others by how they are spelled.

Multinomial naive Bayes on runs of one to four characters, each counted once a post: what a person writes about, their
words, spelling, capitals and signs. Taken out before, on both sides alike, since it would tell them apart and is no
voice: links, @mentions, the mark of a repost, line breaks, and what goes beyond 280 characters.
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
SMOOTHING: Final = 0.1  # added to each count, so that a run seen on one side only does not decide alone
_BITS: Final = 18  # runs are hashed to this many bits: some 100,000 occur, so few share a place
_REPOST: Final = re.compile(r"^RT\b[\s:]*")
_MASK: Final = re.compile("[@＠]…")
_START, _END = "\x02", "\x03"
_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class VoiceClassifier:
    """weights (2 ** 18,): for each hashed run how much more often the person writes it, as a logarithm."""

    weights: NDArray[np.float64]

    @classmethod
    def of(cls, person: Sequence[str], others: Sequence[str]) -> Self:
        """Return the classifier that has learned both sides, which weigh the same: give about as many of each."""
        own, other = (
            np.bincount(_runs(posts)[1], minlength=1 << _BITS).astype(np.float64) for posts in (person, others)
        )
        seen = own + other > 0
        count = max(1, int(seen.sum()))
        weights = np.where(seen, _logarithms(own, count) - _logarithms(other, count), 0.0)
        weights.setflags(write=False)
        return cls(weights)

    def recognised(self, posts: Sequence[str]) -> NDArray[np.bool_]:
        """Return for each post (P,) whether it passes for the person's; one of links and names alone does not."""
        owners, runs = _runs(posts)
        evidence = np.bincount(owners, weights=self.weights[runs], minlength=len(posts))
        return evidence > 0

    def is_persons(self, post: str) -> bool:
        """Return whether the post passes for the person's."""
        return bool(self.recognised([post])[0])


def normalised(post: str) -> str:
    """The post as the classifier reads it: empty where it is nothing but links, mentions and space."""
    text = MENTION.sub(" ", _MASK.sub(" ", LINK.sub(" ", post)))
    return " ".join(_REPOST.sub("", text.strip()).split())[:MAX_CHARACTERS]


def _logarithms(counts: NDArray[np.float64], seen: int) -> NDArray[np.float64]:
    """Return the logarithm of each run's share of all runs, smoothed over the number of runs that were seen at all."""
    shares: NDArray[np.float64] = np.log((counts + SMOOTHING) / (counts.sum() + SMOOTHING * seen))
    return shares


def _runs(posts: Iterable[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (post, hashed run) for each different run of 1 to 4 characters of each post, ends of posts included."""
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
