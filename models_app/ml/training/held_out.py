"""Posts on which a base training measures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from models_app.ml.errors import TooFewPosts, mark
from models_app.ml.vocabulary import Symbols, Vocabulary

from .dataset import stream_posts
from .subjects import AnyBatch, Subject


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Encoded posts, and their numbers of symbols and characters with one end mark per post."""

    posts: list[Symbols]
    symbols: int
    characters: int

    @classmethod
    def read(cls, path: Path, vocabulary: Vocabulary, *, stride: int = 1) -> Self:
        """Read the first post of a file and every `stride`-th after it. Raises TooFewPosts."""
        texts = [post for index, post in enumerate(stream_posts([path])) if index % stride == 0]
        if not texts:
            raise TooFewPosts(mark("The validation file %(file)s has no posts."), file=path)
        posts = [vocabulary.encode(text) for text in texts]
        return cls(posts, sum(post.size + 1 for post in posts), sum(len(text) + 1 for text in texts))

    def loss(self, subject: Subject, after_batch: Callable[[float], None]) -> float:
        """Return the subject's loss in nats per symbol.

        Calls `after_batch` with the number of symbols in each measured batch; if that raises, measuring ends.
        """
        total, count = subject.learner.validate(_followed(subject.held_out(self.posts), after_batch))
        return total / count

    def bits(self, loss: float) -> float:
        """Return bits per character for a loss in nats per symbol."""
        return loss * self.symbols / math.log(2) / self.characters


def _followed(batches: Iterable[AnyBatch], after_batch: Callable[[float], None]) -> Iterator[AnyBatch]:
    for batch in batches:
        yield batch
        after_batch(float(batch.weights.sum()))
