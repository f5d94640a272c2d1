"""Whether a bot's posts can be told from the person's: a classifier two-sample test. NumPy only.

A style detector (`authorship`) learns part of both kinds of posts and is measured on the rest, until each post has had
its turn (Lopez-Paz and Oquab 2017, arXiv:1610.06545). Who can't tell them apart is right half of the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .authorship import VoiceClassifier

FOLDS: Final = 10
#: With fewer posts of each kind, chance would decide.
MIN_POSTS: Final = 20
#: The most posts of each kind, so that it takes about a second.
MAX_POSTS: Final = 1000


@dataclass(frozen=True, slots=True)
class ToldApart:
    """The share of posts that the classifier gets right (balanced accuracy; 0.5 is guessing).

    error: its standard error; posts: number of posts of each kind.
    """

    share: float
    error: float
    posts: int


def told_apart(real: Sequence[str], written: Sequence[str], *, seed: int, folds: int = FOLDS) -> ToldApart | None:
    """Return how well a classifier tells written posts from real ones; None if there are too few.

    Takes equal numbers of both, drawn with the seed. Each of the `folds` parts is measured by a classifier that has
    learned the others.
    """
    count = min(len(real), len(written), MAX_POSTS)
    if count < MIN_POSTS:
        return None
    rng = np.random.default_rng(seed)
    sides = [[posts[place] for place in rng.permutation(len(posts))[:count].tolist()] for posts in (real, written)]
    fold = np.arange(count) % folds
    evidence = np.zeros((2, count))
    for number in range(folds):
        classifier = VoiceClassifier.of(*(_where(side, fold != number) for side in sides))
        for side, found in zip(sides, evidence, strict=True):
            found[fold == number] = classifier.evidence(_where(side, fold == number))
    # A post without any evidence, such as a mere link, is right by half.
    right = (1 + np.sign(evidence) * [[1], [-1]]) / 2  # (2, count)
    variance = right.var(axis=1).sum() / 4 / count
    return ToldApart(float(right.mean()), math.sqrt(variance), count)


def _where(posts: Sequence[str], wanted: NDArray[np.bool_]) -> list[str]:
    return [posts[place] for place in np.flatnonzero(wanted).tolist()]
