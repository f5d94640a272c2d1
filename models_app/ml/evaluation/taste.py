"""What somebody likes, learned from what they approved and rejected: which of several posts to propose. NumPy only.

Logistic regression on a few counts of the text, what was measured when it was written, and the words that several
posts have. A ridge holds the weights close to the plain order, and cross-validation chooses how close. It's used only
if it puts held-out decisions in a better order than the plain one does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from models_app.ml.words import HASHTAG, LINK, words

#: Fewer decisions, or fewer of one kind, teach nothing.
MIN_DECISIONS, MIN_OF_EACH = 10, 2
#: The newest decisions that it learns from, and the most words that it goes by.
MOST: Final = 250
MOST_WORDS: Final = 60
#: A word counts if so many posts have it.
_OFTEN: Final = 3
#: What may be measured when a post is written: how much sense it makes (sampling.sense), how surprising the bot finds
#: a character of it, in nats, what share of its words the closest known post has, and how much it sounds like the
#: person rather than like a bot (authorship).
MEASURES: Final = ("sense", "surprise", "near", "voice")
COUNTS: Final = ("long", "question", "exclamation", "hashtag", "link", "number", "capitals")
NAMES: Final = (*COUNTS, *MEASURES)
#: The plain order: fluent bots show what makes most sense. The weight is for a standard deviation.
_PLAIN: Final = np.array([0.7 if name == "sense" else 0.0 for name in NAMES])
#: Ridges to choose from, the strongest first.
_RIDGES: Final = (30.0, 10.0, 3.0)
_FOLDS: Final = 5
#: What's said of a taste has at least this weight, and sets approved and rejected posts apart by as many standard
#: deviations.
_CLEAR: Final = 0.25
#: Measures that say nothing to people.
_UNSAID: Final = frozenset({"surprise"})


@dataclass(frozen=True, slots=True)
class Post:
    """A text, and those of MEASURES that are known of it."""

    text: str
    measured: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided about a post. liked: 0 is rejected, 1 approved as it was."""

    post: Post
    liked: float


@dataclass(frozen=True, slots=True)
class Lean:
    """What somebody often rejects: posts with much or little of one of NAMES, or of a `word`."""

    name: str
    side: Literal["much", "little"]
    word: str = ""


@dataclass(frozen=True, slots=True)
class Taste:
    """A learned order. mean, spread (F,): of NAMES; vocabulary, share (W,): words, and how many posts have each;
    weights (F + W,).

    leans: what explains it best, strongest first.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    vocabulary: tuple[str, ...]
    share: NDArray[np.float64]
    weights: NDArray[np.float64]
    leans: tuple[Lean, ...]

    def score(self, posts: Sequence[Post]) -> NDArray[np.float64]:
        """Return how likely each post (P,) is to be approved, as log odds up to a constant."""
        found: NDArray[np.float64] = self._seen(posts) @ self.weights
        return found

    def _seen(self, posts: Sequence[Post]) -> NDArray[np.float64]:
        scaled = (_features(posts) - self.mean) / self.spread
        # What wasn't measured counts as the mean.
        return np.hstack([np.nan_to_num(scaled), _has(posts, self.vocabulary) - self.share])


def learned(decisions: Sequence[Decision]) -> Taste | None:
    """Return the taste behind the newest decisions, oldest first; None if there are too few, or no order is better."""
    some = decisions[-MOST:]
    liked = np.array([decision.liked for decision in some])
    is_liked = liked > 0.5
    if len(some) < MIN_DECISIONS or min(is_liked.sum(), (~is_liked).sum()) < MIN_OF_EACH:
        return None
    blank = _blank([decision.post for decision in some])
    seen = blank._seen([decision.post for decision in some])
    plain = blank.weights
    found = [_held_out(seen, liked, plain, ridge) for ridge in _RIDGES]
    best = int(np.argmin([_loss(each, liked) for each in found]))
    # By chance, an order is so much better or worse.
    error = math.sqrt((len(some) + 1) / (12 * is_liked.sum() * (~is_liked).sum()))
    if _in_order(found[best], is_liked) < _in_order(seen @ plain, is_liked) + error / 2:
        return None
    weights = _fitted(seen, liked, plain, _RIDGES[best])[:-1]
    return Taste(blank.mean, blank.spread, blank.vocabulary, blank.share, weights, _leans(blank, seen, liked, weights))


def _blank(posts: Sequence[Post]) -> Taste:
    """Return the plain order, by the scale and the words of these posts."""
    features = _features(posts)
    known = ~np.isnan(features)
    counts = np.maximum(1, known.sum(axis=0))
    mean = np.where(known, features, 0).sum(axis=0) / counts
    spread = np.sqrt((np.where(known, features - mean, 0) ** 2).sum(axis=0) / counts)
    often = Counter(word for post in posts for word in set(words(post.text)))
    kept = [(word, number) for word, number in often.most_common() if _OFTEN <= number <= len(posts) / 2]
    vocabulary = tuple(word for word, _ in kept[:MOST_WORDS])
    share = np.array([number / len(posts) for _, number in kept[:MOST_WORDS]])
    weights = np.concatenate([_PLAIN, np.zeros(len(vocabulary))])
    return Taste(mean, np.where(spread > 1e-9, spread, 1.0), vocabulary, share, weights, ())


def _features(posts: Sequence[Post]) -> NDArray[np.float64]:
    """Return NAMES of the posts (P, F), NaN for what wasn't measured."""
    rows = [[*_counts(post.text), *(post.measured.get(name, math.nan) for name in MEASURES)] for post in posts]
    return np.array(rows, np.float64).reshape(len(posts), len(NAMES))


def _counts(text: str) -> list[float]:
    plain = LINK.sub(" ", text)
    return [
        math.log(max(1, len(text))),
        "?" in plain,
        "!" in plain,
        HASHTAG.search(plain) is not None,
        LINK.search(text) is not None,
        any(map(str.isdigit, plain)),
        sum(map(str.isupper, plain)) / max(1, len(plain)),
    ]


def _has(posts: Sequence[Post], vocabulary: Sequence[str]) -> NDArray[np.float64]:
    """Return which posts have which words (P, W)."""
    sets = [set(words(post.text)) for post in posts]
    found = [[word in each for word in vocabulary] for each in sets]
    return np.array(found, np.float64).reshape(len(posts), len(vocabulary))


def _fitted(
    seen: NDArray[np.float64], liked: NDArray[np.float64], plain: NDArray[np.float64], ridge: float
) -> NDArray[np.float64]:
    """Return weights and intercept (F + 1,) that explain the decisions, close to the plain ones: Newton's method."""
    inputs = np.hstack([seen, np.ones((len(seen), 1))])
    start = np.append(plain, 0.0)
    penalty = np.append(np.full(len(plain), ridge), 1e-3)
    weights = start.copy()
    for _ in range(20):
        odds = _sigmoid(inputs @ weights)
        slope = inputs.T @ (odds - liked) + penalty * (weights - start)
        bend = (inputs * np.maximum(odds * (1 - odds), 1e-6)[:, None]).T @ inputs + np.diag(penalty)
        change = np.linalg.solve(bend, slope)
        weights -= change
        if np.abs(change).max() < 1e-4:
            break
    return weights


def _held_out(
    seen: NDArray[np.float64], liked: NDArray[np.float64], plain: NDArray[np.float64], ridge: float
) -> NDArray[np.float64]:
    """Return the log odds (D,) of each decision by weights that were learned from others."""
    # Each part has as many approved posts as the others, and old and new ones.
    parts = np.empty(len(liked), np.intp)
    parts[np.argsort(liked > 0.5, kind="stable")] = np.arange(len(liked)) % _FOLDS
    found = np.zeros(len(liked))
    for part in range(_FOLDS):
        out = parts == part
        weights = _fitted(seen[~out], liked[~out], plain, ridge)
        found[out] = seen[out] @ weights[:-1] + weights[-1]
    return found


def _loss(odds: NDArray[np.float64], liked: NDArray[np.float64]) -> float:
    return float((np.logaddexp(0, odds) - liked * odds).mean())


def _in_order(score: NDArray[np.float64], is_liked: NDArray[np.bool_]) -> float:
    """Return how often an approved post has a higher score than a rejected one (AUC)."""
    yes, no = score[is_liked][:, None], score[~is_liked]
    return float((yes > no).mean() + 0.5 * (yes == no).mean())


def _leans(
    taste: Taste, seen: NDArray[np.float64], liked: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[Lean, ...]:
    """Return what people can see in the posts that this order puts last."""
    is_liked = liked > 0.5
    spread = seen.std(axis=0)
    apart = (seen[is_liked].mean(axis=0) - seen[~is_liked].mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0)
    strength = np.abs(weights) * spread
    found: list[tuple[Lean, float]] = []
    for place in np.argsort(-strength, kind="stable").tolist():
        name = NAMES[place] if place < len(NAMES) else "word"
        is_clear = strength[place] >= _CLEAR and abs(apart[place]) >= _CLEAR and apart[place] * weights[place] > 0
        if is_clear and name not in _UNSAID and 3 * strength[place] >= (found[0][1] if found else 0):
            word = taste.vocabulary[place - len(NAMES)] if name == "word" else ""
            found.append((Lean(name, "little" if weights[place] > 0 else "much", word), strength[place]))
    return tuple(lean for lean, _ in found[:2])


def _sigmoid(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(odds, -40, 40)))
    return found
