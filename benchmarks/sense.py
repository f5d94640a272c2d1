"""The judge of sense (models_app/ml/sampling/sense.py): trained on blind readings, and how far it can be trusted.

    python -m benchmarks.sense

`sense.csv` has a line for each post that was read: whose bot wrote it and how, its features, and its marks. A ridge
regression predicts the marks. For the figures, the posts of each person are judged by a judge that was trained on those
of the others: how often a publishable post of a person's bot is judged better than one that isn't, where both were
written the same way (AUC), and what choosing the best of several would give.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.sampling.sense import NAMES

from .common import say

READ: Final = Path(__file__).with_name("sense.csv")
#: Of the squares of the weights, for features of standard deviation 1.
RIDGE: Final = 30.0
_COLUMNS: Final = (*NAMES, "length")


@dataclass(frozen=True, slots=True)
class Readings:
    """What was read, P posts: features (P, 10); of each, its sense 0 to 3, the other mark, whether it has a fault."""

    features: NDArray[np.float64]
    sense: NDArray[np.float64]
    publishable: NDArray[np.float64]
    faulty: NDArray[np.bool_]
    person: NDArray[np.str_]
    kind: NDArray[np.str_]

    @classmethod
    def read(cls, path: Path = READ) -> Readings:
        """Read the table."""
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return cls(
            np.array([[float(row[name]) for name in _COLUMNS] for row in rows]),
            np.array([float(row["sense"]) for row in rows]),
            np.array([float(row["publishable"]) for row in rows]),
            np.array([row["fault"] != "" for row in rows]),
            np.array([row["person"] for row in rows]),
            np.array([row["kind"] for row in rows]),
        )

    @property
    def marks(self) -> NDArray[np.float64]:
        """Return what the judge is to predict: both marks count the same."""
        return self.sense / 3 + self.publishable


def fitted(features: NDArray[np.float64], marks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mean, standard deviation and weight (10, 3) of each feature, for a judge that length doesn't sway."""
    mean, spread = features.mean(axis=0), features.std(axis=0)
    scaled = (features - mean) / spread
    squares = scaled.T @ scaled + RIDGE * np.eye(scaled.shape[1])
    weights = np.linalg.solve(squares, scaled.T @ (marks - marks.mean()))
    # What the length foretells of the judgement is taken out.
    judged, length = scaled @ weights, scaled[:, -1]
    weights[-1] -= float(judged @ length) / float(length @ length)
    return np.stack([mean, spread, weights], axis=1)


def judged(features: NDArray[np.float64], judge: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the judgement (P,) of posts."""
    mean, spread, weights = judge.T
    found: NDArray[np.float64] = ((features - mean) / spread) @ weights
    return found


def by_others(readings: Readings) -> NDArray[np.float64]:
    """Return the judgement (P,) of each post by a judge that has read other people's bots only."""
    found = np.zeros(len(readings.sense))
    for person in set(readings.person.tolist()):
        own = readings.person == person
        judge = fitted(readings.features[~own], readings.marks[~own])
        found[own] = judged(readings.features[own], judge)
    return found


def share_in_order(judgement: NDArray[np.float64], publishable: NDArray[np.float64]) -> float:
    """Return how often a publishable post is judged better than another (AUC); NaN without both."""
    yes, no = judgement[publishable == 1], judgement[publishable == 0]
    if not len(yes) or not len(no):
        return float("nan")
    return float((yes[:, None] > no).mean() + 0.5 * (yes[:, None] == no).mean())


def chosen(readings: Readings, judgement: NDArray[np.float64], kind: str, drafts: int) -> tuple[float, float, float]:
    """Return sense, share publishable and characters of the best of so many drafts of a kind, over all people."""
    rng, found = np.random.default_rng(0), []
    order = judgement - 1e6 * readings.faulty
    for person in sorted(set(readings.person.tolist())):
        own = np.flatnonzero((readings.kind == kind) & (readings.person == person))
        for _ in range(500 if len(own) >= drafts else 0):
            some = rng.choice(own, drafts, replace=False)
            found.append(some[np.argmax(order[some])])
    characters = np.exp(readings.features[found, -1]).mean()
    return float(readings.sense[found].mean()), float(readings.publishable[found].mean()), float(characters)


def sense_by(judgement: NDArray[np.float64], sense: NDArray[np.float64]) -> tuple[float, float]:
    """Return the sense of a judgement of 0, and by how much it grows with each 1: a least-squares line."""
    slope, at_zero = np.polyfit(judgement, sense, 1)
    return float(at_zero), float(slope)


def error_of_sense(readings: Readings) -> tuple[float, float]:
    """Return how far the mean sense of a person's posts of a kind is, on average (root mean square), from what a judge
    says that has read other people's bots only, and from the mean of those."""
    found: list[tuple[float, float]] = []
    for person in sorted(set(readings.person.tolist())):
        own = readings.person == person
        judge = fitted(readings.features[~own], readings.marks[~own])
        at_zero, slope = sense_by(judged(readings.features[~own], judge), readings.sense[~own])
        said = at_zero + slope * judged(readings.features[own], judge)
        for kind in sorted(set(readings.kind[own].tolist())):
            posts = readings.kind[own] == kind
            sense = readings.sense[own][posts].mean()
            found.append((float(said[posts].mean() - sense), float(readings.sense[~own].mean() - sense)))
    by_judge, by_mean = np.sqrt(np.square(found).mean(axis=0))
    return float(by_judge), float(by_mean)


def main(arguments: Sequence[str] | None = None) -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(
        arguments
    )
    readings = Readings.read()
    judgement = by_others(readings)
    groups = sorted(set(zip(readings.person.tolist(), readings.kind.tolist(), strict=True)))
    shares = [
        share_in_order(judgement[place], readings.publishable[place])
        for person, kind in groups
        for place in [(readings.person == person) & (readings.kind == kind)]
    ]
    say(f"{len(readings.sense)} posts; AUC within a person's posts of a kind: {np.nanmean(shares):.3f}")
    by_judge, by_mean = error_of_sense(readings)
    say(f"error of the mean sense of a person's posts of a kind: {by_judge:.2f} ({by_mean:.2f} without a judge)")
    say("kind, best of: sense, publishable, characters")
    for kind in sorted(set(readings.kind.tolist())):
        for drafts in (1, 2, 3, 4):
            sense, publishable, characters = chosen(readings, judgement, kind, drafts)
            say(f"{kind}, {drafts}: {sense:.2f}, {publishable:.0%}, {characters:.0f}")
    judge = fitted(readings.features, readings.marks)
    at_zero, slope = sense_by(judged(readings.features, judge), readings.sense)
    say(f"sense: {at_zero:.4f} + {slope:.4f} * judgement")
    for name, (mean, spread, weight) in zip(_COLUMNS, judge, strict=True):
        say(f"    ({mean:.4f}, {spread:.4f}, {weight:.4f}),  # {name}")


if __name__ == "__main__":
    main()
