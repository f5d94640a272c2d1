"""Posts to rows of fixed length, many posts a row, each seeing only itself.

A post `s1..sn` becomes the inputs END s1..sn and the targets s1..sn END. A post that is longer than a row continues in
another one, where it doesn't see its beginning. Each symbol and each end mark is a target exactly once.

A post behind a line `t1..tm` that says what it's about is read after END t1..tm. That line and its end mark are no
targets: nothing is learned about which topics there are.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_app.ml.networks.phrases import NONE, ORDER


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """R rows of T places. All arrays are (R, T).

    inputs, targets: symbols; weights: 1 for targets that count, 0 for padding and for topics; positions: of each place
    in its post, after its topic; segments: the number of the post in its row, -1 for padding.
    """

    inputs: NDArray[np.int32]
    targets: NDArray[np.int32]
    weights: NDArray[np.float32]
    positions: NDArray[np.int32]
    segments: NDArray[np.int32]

    def contexts(self) -> NDArray[np.int64]:
        """Return the last symbols before each target, as `Phrases` takes them: (R, T, ORDER)."""
        found = np.full((*self.inputs.shape, ORDER), NONE, np.int64)
        found[:, :, -1] = self.inputs
        for back in range(1, ORDER):
            same = self.segments[:, back:] == self.segments[:, :-back]
            found[:, back:, -1 - back] = np.where(same, self.inputs[:, :-back], NONE)
        return found


@dataclass(frozen=True, slots=True)
class _Piece:
    post: int
    start: int
    size: int


def packed_batches(
    posts: Sequence[NDArray[Any]],
    *,
    rows: int,
    length: int,
    end: int,
    rng: np.random.Generator | None = None,
    topics: Sequence[NDArray[Any]] = (),
) -> list[PackedBatch]:
    """Return the batches of one reading of the posts (symbols without end marks), in random order if `rng` is given.

    With `topics`, one for each post, a post is read behind its topic unless that is empty. Each piece goes into the row
    with the least space that still holds it (best fit), so little is padding.
    """
    given = [topic.size + 1 if topic.size else 0 for topic in topics] or [0] * len(posts)
    if topics:
        posts = [
            np.concatenate([topic, [end], post]) if topic.size else post
            for topic, post in zip(topics, posts, strict=True)
        ]
    order = np.arange(len(posts)) if rng is None else rng.permutation(len(posts))
    packed = _rows([piece for index in order.tolist() for piece in _pieces(index, posts[index].size, length)], length)
    shuffled = np.arange(len(packed)) if rng is None else rng.permutation(len(packed))
    chosen = [packed[index] for index in shuffled.tolist()]
    return [_laid_out(posts, given, chosen[at : at + rows], rows, length, end) for at in range(0, len(chosen), rows)]


def _pieces(post: int, size: int, length: int) -> Iterator[_Piece]:
    total = size + 1  # targets, the end mark included
    for start in range(0, total, length):
        yield _Piece(post, start, min(length, total - start))


def _rows(pieces: Sequence[_Piece], length: int) -> list[list[_Piece]]:
    rows: list[list[_Piece]] = []
    free: list[tuple[int, int]] = []  # (places left, row), sorted
    for piece in sorted(pieces, key=lambda piece: -piece.size):
        at = bisect_left(free, (piece.size, -1))
        if at == len(free):
            rows.append([])
            space, row = length, len(rows) - 1
        else:
            space, row = free.pop(at)
        rows[row].append(piece)
        if space > piece.size:
            insort(free, (space - piece.size, row))
    return rows


def _laid_out(
    posts: Sequence[NDArray[Any]],
    given: Sequence[int],
    members: Sequence[Sequence[_Piece]],
    rows: int,
    length: int,
    end: int,
) -> PackedBatch:
    shape = (rows, length)
    inputs, targets = np.full(shape, end, np.int32), np.full(shape, end, np.int32)
    weights, positions = np.zeros(shape, np.float32), np.zeros(shape, np.int32)
    segments = np.full(shape, -1, np.int32)
    for row, pieces in enumerate(members):
        at = 0
        for number, piece in enumerate(pieces):
            whole = np.concatenate([[end], posts[piece.post], [end]])
            place, part = slice(at, at + piece.size), slice(piece.start, piece.start + piece.size)
            inputs[row, place] = whole[:-1][part]
            targets[row, place] = whole[1:][part]
            positions[row, place] = np.arange(piece.start, piece.start + piece.size)
            weights[row, place] = positions[row, place] >= given[piece.post]
            segments[row, place] = number
            at += piece.size
    return PackedBatch(inputs, targets, weights, positions, segments)
