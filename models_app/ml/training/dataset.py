"""Posts to batches: reading, splitting, and packing into windows that predict each symbol exactly once per epoch.

A post `s1..sn` becomes the inputs END s1..sn and the targets s1..sn END, where END is the vocabulary's end mark. Posts
are concatenated in B parallel rows, which are cut into windows of T symbols. One post's end mark is the next one's
start mark: the network resets its state where the input is END. The state carries over from window to window.
"""

from __future__ import annotations

import gzip
import heapq
import lzma
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models_app.ml.errors import BadSetting, LearningError, TooFewPosts, mark
from models_app.ml.vocabulary import Symbols, Vocabulary

from .mention_augmentation import Renaming


@dataclass(frozen=True, slots=True)
class Batch:
    """One window of B rows: inputs and targets (B, T), weights (B, T) float32 with 0 for padding."""

    inputs: Symbols
    targets: Symbols
    weights: NDArray[np.float32]


def split(posts: Sequence[str], *, validation_share: float = 0.1, seed: int) -> tuple[list[str], list[str]]:
    """Return (training, validation) posts: a seeded random split with at least one post on each side.

    Raises TooFewPosts for fewer than two posts.
    """
    if len(posts) < 2:
        raise TooFewPosts(
            mark("Training needs at least 2 posts, but there are %(count)s. Add more posts."), count=len(posts)
        )
    if not 0 < validation_share < 1:
        raise BadSetting(
            mark("%(name)s must be between 0 and 1, not %(value)s."),
            name="validation_share",
            value=repr(validation_share),
        )
    count = min(len(posts) - 1, max(1, round(len(posts) * validation_share)))
    chosen = set(np.random.default_rng(seed).permutation(len(posts))[:count].tolist())
    train = [post for index, post in enumerate(posts) if index not in chosen]
    return train, [posts[index] for index in sorted(chosen)]


def stream_posts(paths: Sequence[Path]) -> Iterator[str]:
    """Yield the posts, one per line, of UTF-8 files (.txt, .xz, .gz) in constant memory. Skips empty lines.

    Raises LearningError for a file that is missing, damaged or not UTF-8.
    """
    for path in paths:
        number = 0
        try:
            with _open_text(path) as lines:
                for number, line in enumerate(lines, 1):  # noqa: B007
                    post = line.rstrip("\r\n")
                    if post.strip():
                        yield post
        except FileNotFoundError as error:
            raise LearningError(mark("The file %(file)s does not exist."), file=path) from error
        except UnicodeDecodeError as error:
            raise LearningError(
                mark("%(file)s is not UTF-8 text after line %(number)s. Convert it to UTF-8."), file=path, number=number
            ) from error
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise LearningError(
                mark("%(file)s can’t be read after line %(number)s: %(reason)s."),
                file=path,
                number=number,
                reason=error,
            ) from error


def _open_text(path: Path) -> IO[str]:
    # newline="\n": only a line feed ends a post. A form feed or U+2028 inside a post must not split it.
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8", newline="\n")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="\n")
    return path.open(encoding="utf-8", newline="\n")


def epoch_batches(
    posts: Sequence[Symbols],
    *,
    vocabulary: Vocabulary,
    batch_size: int,
    sequence_length: int,
    seed: int,
    epoch: int,
) -> tuple[int, Iterator[Batch]]:
    """Return the number of batches and the batches of one epoch. The order of posts depends only on seed and epoch.

    Every symbol of every post, including its end mark, is a target with weight 1 exactly once.
    """
    rng = np.random.default_rng([seed, epoch])
    rows = _balanced_rows(posts, min(batch_size, len(posts)), rng)
    lengths = [sum(posts[index].size + 1 for index in row) for row in rows]
    windows = -(-max(lengths) // sequence_length)
    return windows, _windows([_laid_out(posts, row, vocabulary) for row in rows], windows, sequence_length, vocabulary)


def _balanced_rows(posts: Sequence[Symbols], count: int, rng: np.random.Generator) -> list[list[int]]:
    """Return the posts' indices for each row: longest posts first, each to the shortest row, then shuffle the rows."""
    order = rng.permutation(len(posts))
    order = order[np.argsort([-posts[index].size for index in order], kind="stable")]
    heap = [(0, row) for row in range(count)]
    rows: list[list[int]] = [[] for _ in range(count)]
    for index in order.tolist():
        length, row = heapq.heappop(heap)
        rows[row].append(index)
        heapq.heappush(heap, (length + posts[index].size + 1, row))
    for members in rows:
        rng.shuffle(members)
    return rows


def _laid_out(posts: Sequence[Symbols], members: Sequence[int], vocabulary: Vocabulary) -> Symbols:
    """Return the targets of a row: each post's symbols and END."""
    mark = np.array([vocabulary.end], vocabulary.dtype)
    return np.concatenate([part for index in members for part in (posts[index], mark)])


def _windows(rows: Sequence[Symbols], windows: int, length: int, vocabulary: Vocabulary) -> Iterator[Batch]:
    shape = (len(rows), windows * length)
    targets = np.full(shape, vocabulary.end, vocabulary.dtype)
    weights = np.zeros(shape, np.float32)
    for index, row in enumerate(rows):
        targets[index, : row.size] = row
        weights[index, : row.size] = 1
    inputs = np.full_like(targets, vocabulary.end)
    inputs[:, 1:] = targets[:, :-1]
    for start in range(0, shape[1], length):
        part = slice(start, start + length)
        yield Batch(inputs[:, part], targets[:, part], weights[:, part])


class PostStream:
    """An endless iterator of encoded posts from files of any size, in constant memory, that can resume exactly.

    Reads posts in chunks of `shuffle_posts`. Renames and shuffles each chunk by (seed, pass, chunk), and shuffles the
    order of files in each pass. `position()` is JSON-ready: a new stream that gets it continues with the same posts.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        vocabulary: Vocabulary,
        seed: int,
        shuffle_posts: int,
        renaming: Renaming | None = None,
        position: Mapping[str, Any] | None = None,
    ) -> None:
        self._paths, self._vocabulary, self._renaming = list(paths), vocabulary, renaming
        self._seed, self._shuffle_posts = seed, shuffle_posts
        start = position or {"pass": 0, "chunk": 0, "offset": 0}
        self._pass, self._chunk, self._offset = int(start["pass"]), int(start["chunk"]), int(start["offset"])
        self._posts = self._shuffled(self._pass, self._chunk, self._offset)

    def position(self) -> dict[str, Any]:
        """Return the current position as JSON-ready values."""
        return {"pass": self._pass, "chunk": self._chunk, "offset": self._offset}

    def __iter__(self) -> Iterator[Symbols]:
        return self

    def __next__(self) -> Symbols:
        return next(self._posts)

    def _shuffled(self, number: int, chunk: int, offset: int) -> Iterator[Symbols]:
        """Yield encoded posts endlessly from this pass, chunk and offset on, and keep the position up to date."""
        while True:
            order = np.random.default_rng([self._seed, number]).permutation(len(self._paths))
            posts = stream_posts([self._paths[index] for index in order])
            for _ in range(chunk * self._shuffle_posts):
                next(posts, None)
            found = chunk > 0
            while batch := list(islice(posts, self._shuffle_posts)):
                found = True
                if self._renaming:
                    batch = self._renaming.renamed(batch, f"{self._seed} {number} {chunk}")
                picks = np.random.default_rng([self._seed, number, chunk]).permutation(len(batch))
                for index in picks[offset:].tolist():
                    offset += 1
                    self._pass, self._chunk, self._offset = number, chunk, offset
                    yield self._vocabulary.encode(batch[index])
                chunk, offset = chunk + 1, 0
            if not found:
                raise TooFewPosts(mark("The corpus has no posts to learn from."))
            number, chunk, offset = number + 1, 0, 0


class StreamPacker:
    """An endless iterator of full batches of a stream of posts. `position()` is JSON-ready, as that of the stream.

    The arguments are those of `PostStream`. batch_size and sequence_length: rows of a batch, and symbols in a row.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        vocabulary: Vocabulary,
        batch_size: int,
        sequence_length: int,
        seed: int,
        shuffle_posts: int = 20_000,
        renaming: Renaming | None = None,
        position: Mapping[str, Any] | None = None,
    ) -> None:
        self._vocabulary = vocabulary
        # As in files: the same on every machine.
        self._dtype = vocabulary.dtype.newbyteorder("<")
        self._end = np.array(vocabulary.end, self._dtype).tobytes()
        self._length = sequence_length
        start = position or {"rows": [""] * batch_size, "last": [vocabulary.end] * batch_size}
        self._rows = [bytearray.fromhex(row) for row in start["rows"]]
        self._last = np.array(start["last"], vocabulary.dtype)
        if len(self._rows) != batch_size:
            raise LearningError(
                mark("The saved position has %(rows)s rows, but the batch size is %(size)s."),
                rows=len(self._rows),
                size=batch_size,
            )
        self._posts = PostStream(
            paths,
            vocabulary=vocabulary,
            seed=seed,
            shuffle_posts=shuffle_posts,
            renaming=renaming,
            position=position,
        )

    def position(self) -> dict[str, Any]:
        """Return the current position as JSON-ready values."""
        rest = {"rows": [row.hex() for row in self._rows], "last": self._last.tolist()}
        return self._posts.position() | rest

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        length = self._length * self._dtype.itemsize  # in bytes
        targets = np.empty((len(self._rows), self._length), self._vocabulary.dtype)
        for index, row in enumerate(self._rows):
            while len(row) < length:
                row += next(self._posts).astype(self._dtype, copy=False).tobytes()
                row += self._end
            targets[index] = np.frombuffer(bytes(row[:length]), self._dtype)
            del row[:length]
        inputs = np.empty_like(targets)
        inputs[:, 0] = self._last
        inputs[:, 1:] = targets[:, :-1]
        self._last = targets[:, -1].copy()
        return Batch(inputs, targets, np.ones(targets.shape, np.float32))
