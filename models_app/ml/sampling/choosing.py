"""Draws the next symbol of each post from the network's logits."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: With more symbols than this, drawing one takes two steps: first a group of symbols, then one of them.
FEW: Final = 256
GROUP: Final = 64
#: With more symbols than this, drawing one takes shortcuts.
MANY: Final = 1024


def choose(
    logits: NDArray[Any], temperature: float, top_k: int, rng: np.random.Generator, *, top_p: float = 1.0
) -> NDArray[np.intp]:
    """Return one symbol per row (B,), drawn from softmax(logits / temperature) of logits (B, size).

    Temperature 0 takes the most likely symbol. top_k > 0 draws only from the k most likely; top_p < 1 only from the
    smallest set of these with at least that fraction of their probability (Holtzman et al. 2020). Never draws a logit
    of minus infinity; each row needs a finite one.

    Other processors and browsers round logits differently. That changes a draw only where the random number is that
    close to a border between two symbols, so a large vocabulary is drawn from in two steps, each with few borders.
    """
    if temperature == 0:
        likeliest: NDArray[np.intp] = logits.argmax(axis=1)
        return likeliest
    draw = _drawn_in_two if logits.shape[1] > FEW else _drawn
    picks = None
    if 0 < top_k < logits.shape[1]:
        # Barred, not left out, so that the groups follow the numbers of the symbols. If fewer than k symbols are
        # possible, barred ones fill up the k, and which ones depends on the CPU.
        rest = np.argpartition(logits, -top_k, axis=1)[:, :-top_k]
        logits = logits.copy()
        np.put_along_axis(logits, rest, -np.inf, axis=1)
    share: Any = top_p
    if top_p < 1:
        if logits.shape[1] > MANY:
            picks, kept = _likeliest(logits, temperature, top_p)
            logits, share = np.take_along_axis(logits, picks, axis=1), (top_p / kept)[:, None]
        order = np.argsort(-logits, axis=1, kind="stable")
        picks = order if picks is None else np.take_along_axis(picks, order, axis=1)
        logits = np.take_along_axis(logits, order, axis=1)
    best = logits.argmax(axis=1)
    odds = _odds(logits, temperature)
    if top_p < 1:
        # The first sum that reaches top_p belongs to the last symbol to draw from.
        sums = odds.cumsum(axis=1, dtype=np.float64)
        last = (sums < share * sums[:, -1:]).sum(axis=1)
        odds[np.arange(odds.shape[1]) > last[:, None]] = 0
    drawn = draw(odds, rng)
    # Rounding can put the draw at the very end of the sum, after the last symbol.
    drawn = np.where(drawn == odds.shape[1], best, drawn)
    if picks is not None:
        drawn = np.take_along_axis(picks, drawn[:, None], axis=1)[:, 0]
    return drawn


def log_likelihoods(logits: NDArray[np.float32], symbols: NDArray[np.intp]) -> list[float]:
    """Return the log probability of each row's symbol in softmax(logits), at temperature 1."""
    highest = logits.max(axis=1, keepdims=True)
    sums = np.exp(logits - highest).sum(axis=1, dtype=np.float64)
    found: list[float] = (logits[np.arange(len(symbols)), symbols] - highest[:, 0] - np.log(sums)).tolist()
    return found


def _drawn(odds: NDArray[Any], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return a place for each row of odds (B, n), drawn in proportion to them; n where the number was rounded up."""
    sums = odds.cumsum(axis=1, dtype=np.float64)
    drawn: NDArray[np.intp] = (sums <= (rng.random(len(sums)) * sums[:, -1])[:, None]).sum(axis=1)
    return drawn


def _drawn_in_two(odds: NDArray[Any], rng: np.random.Generator) -> NDArray[np.intp]:
    """Do the same by drawing a group of places, then a place in it."""
    size = odds.shape[1]
    groups = np.pad(odds, ((0, 0), (0, -size % GROUP))).reshape(len(odds), -1, GROUP)
    group = np.minimum(_drawn(groups.sum(axis=2, dtype=np.float64), rng), groups.shape[1] - 1)
    place = _drawn(groups[np.arange(len(odds)), group], rng)
    drawn: NDArray[np.intp] = np.where(place == GROUP, size, group * GROUP + place)
    return drawn


def _odds(logits: NDArray[Any], temperature: float) -> NDArray[Any]:
    """Return exp(logits / temperature), divided by its maximum in each row."""
    # Single precision takes a fraction of the time, which matters only for a large vocabulary.
    kind = np.float64 if logits.shape[1] <= MANY else np.float32
    # The maximum is subtracted first: a tiny temperature must give the most likely symbol, not an overflow.
    scaled: NDArray[Any] = (logits - logits.max(axis=1, keepdims=True)).astype(kind)
    with np.errstate(over="ignore"):
        scaled /= max(kind(temperature), np.finfo(kind).tiny)
    odds: NDArray[Any] = np.exp(scaled, out=scaled)
    return odds


def _likeliest(logits: NDArray[Any], temperature: float, top_p: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the most likely symbols of each row, with more than top_p of its probability, and what they have of it.

    Sorting them takes much less time than sorting all.
    """
    odds = _odds(logits, temperature)
    whole = odds.sum(axis=1, dtype=np.float64)
    count = MANY // 2
    while 2 * count < odds.shape[1]:
        likely = np.sort(np.argpartition(odds, -count, axis=1)[:, -count:], axis=1)
        kept = np.take_along_axis(odds, likely, axis=1).sum(axis=1, dtype=np.float64) / whole
        if (kept > top_p).all():
            return likely, kept
        count *= 4
    return np.tile(np.arange(odds.shape[1]), (len(odds), 1)), np.ones(len(odds))
