"""How much sense a draft makes, by what the bot itself found surprising in it: which of several drafts to show.

A linear judge, trained on blind readings of the posts of several people's bots (benchmarks/sense.py). What it goes by:
the sum of all surprises, the surprise of the first symbol, of the worst one and of the worst three, that of a
character, and how many of the words are different, of the characters capitals and punctuation, and hashtags.

A short post makes sense more easily than a long one. The judge compares posts as if all were of the same length, so
that choosing by it doesn't shorten what a bot writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.words import words

#: What the judge goes by, in the order of `features`.
NAMES: Final = ("total", "first", "worst", "worst3", "character", "different", "capitals", "punctuation", "hashtags")
#: For each of NAMES and the logarithm of the length: the mean over the read posts, the standard deviation, the weight.
JUDGE: Final[tuple[tuple[float, float, float], ...]] = (
    (44.3902, 23.8009, -0.2023),
    (4.8807, 1.9804, -0.0769),
    (6.9858, 2.8867, 0.2020),
    (5.2465, 1.9003, -0.1831),
    (0.6748, 0.4902, -0.0837),
    (0.8791, 0.1555, 0.1751),
    (0.0534, 0.0497, -0.1058),
    (0.0234, 0.0198, 0.0703),
    (0.3422, 1.0438, -0.0188),
    (4.1662, 0.6672, 0.1393),
)
#: The sense of posts, from 0 (nonsense) to 3 (full sense), that the judge finds of mean sense, and how much it grows
#: with the judgement.
SENSE: Final = (1.8733, 1.5439)
#: How far that is, on average, from the marks of 20 posts by a bot that the judge has never seen (root mean square).
SENSE_ERROR: Final = 0.24
_PUNCTUATION: Final = frozenset(".,!?")


@dataclass(frozen=True, slots=True)
class Draft:
    """A post that could be shown. surprisals: of each symbol after the prompt, the end mark included, in nats."""

    post: str
    surprisals: Sequence[float]


def features(draft: Draft) -> NDArray[np.float64]:
    """Return what the judge goes by, and the logarithm of the post's length: (10,)."""
    post, surprisals = draft.post, np.sort(np.asarray(draft.surprisals, np.float64))[::-1]
    found, size = words(post), max(1, len(post))
    return np.array(
        [
            surprisals.sum(),
            draft.surprisals[0],
            surprisals[0],
            surprisals[:3].mean(),
            surprisals.sum() / (size + 1),
            len(set(found)) / max(1, len(found)),
            sum(map(str.isupper, post)) / size,
            sum(character in _PUNCTUATION for character in post) / size,
            post.count("#"),
            np.log(size),
        ]
    )


def judged(draft: Draft) -> float:
    """Return how much sense the draft makes, compared with others of its length."""
    mean, spread, weight = np.array(JUDGE).T
    return float(((features(draft) - mean) / spread) @ weight)


def measured(draft: Draft) -> dict[str, float]:
    """Return how much sense it makes and how surprising a character of it is, in nats; {} without surprisals."""
    if not draft.surprisals:
        return {}
    surprise = sum(draft.surprisals) / (len(draft.post) + 1)
    return {"sense": round(judged(draft), 3), "surprise": round(surprise, 3)}


def mean_sense(drafts: Sequence[Draft]) -> float:
    """Return how much sense readers would find in the drafts, on average: 0 (nonsense) to 3 (full sense)."""
    at_zero, slope = SENSE
    mean = float(np.mean([judged(draft) for draft in drafts]))
    return min(3.0, max(0.0, at_zero + slope * mean))
