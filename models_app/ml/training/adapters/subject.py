"""An adapter as the subject of a base training: a pretrained model is adapted to posts before anybody's bot is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models_app.ml.config import PretrainConfig
from models_app.ml.errors import BadSetting, mark
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.store import LIBRARY
from models_app.ml.training.dataset import PostStream
from models_app.ml.training.mention_augmentation import Renaming
from models_app.ml.training.topics import TopicLines
from models_app.ml.vocabulary import Symbols

from .packing import PackedBatch, packed_batches
from .prebuilt import learner_for

#: Posts that are packed into rows together: enough that rows have next to no padding.
PACKED_POSTS: Final = 2000


class Adapter:
    """The adapter of a Llama, on rows of whole posts."""

    def __init__(self, network: LlamaConfig, config: PretrainConfig, weights: Mapping[str, NDArray[Any]]) -> None:
        if config.dropout:
            raise BadSetting(mark("The adapter of a pretrained model learns without %(name)s."), name="dropout")
        self._network, self._config = network, config
        self.vocabulary = LIBRARY.get(network.pretrained).vocabulary
        self.learner = learner_for(network, beta_2=config.beta_2, clip_norm=config.clip_norm)
        self.learner.start_over(weights)

    def train(self, batch: Any, *, learning_rate: float, step: int) -> tuple[float, float]:
        """Train a step."""
        return self.learner.train(batch, learning_rate=learning_rate)

    def start(self) -> None:
        """Do nothing: an adapter has no state beside its weights."""

    def stream(self, corpus: Sequence[Path], renaming: Renaming, position: Mapping[str, Any] | None) -> PackedStream:
        """Return the batches of the corpus, from this position on."""
        config = self._config
        start = position or {"posts": None, "batch": 0}

        def posts(at: Mapping[str, Any] | None) -> PostStream:
            return PostStream(
                corpus,
                vocabulary=self.vocabulary,
                seed=config.seed,
                shuffle_posts=config.shuffle_posts,
                renaming=renaming,
                position=at,
            )

        rows = {"rows": config.batch_size, "length": config.sequence_length}
        return PackedStream(
            posts(start["posts"]),
            **rows,
            topics=TopicLines(self.vocabulary, share=config.topics),
            end=self._network.end,
            seed=config.seed,
            skip=start["batch"],
        )

    def held_out(self, posts: Sequence[Symbols]) -> list[PackedBatch]:
        """Return the batches of one reading of these posts."""
        config = self._config
        return packed_batches(posts, rows=config.batch_size, length=config.sequence_length, end=self._network.end)


class PackedStream:
    """An endless iterator of batches of R rows of T places, packed from PACKED_POSTS posts at a time."""

    def __init__(
        self, posts: PostStream, *, rows: int, length: int, topics: TopicLines, end: int, seed: int, skip: int
    ) -> None:
        self._posts, self._rows, self._length, self._end, self._seed = posts, rows, length, end, seed
        self._topics = topics
        self._fill()
        self._next = skip

    def position(self) -> dict[str, Any]:
        """Return where the current group of posts begins, and which batch of it is next, as JSON-ready values."""
        return {"posts": self._began, "batch": self._next}

    def __iter__(self) -> PackedStream:
        return self

    def __next__(self) -> PackedBatch:
        if self._next == len(self._batches):
            self._fill()
        self._next += 1
        return self._batches[self._next - 1]

    def _fill(self) -> None:
        self._began = self._posts.position()
        group = list(islice(self._posts, PACKED_POSTS))
        rng = np.random.default_rng([self._seed, *self._began.values()])
        topics = self._topics.of(group, rng)
        self._batches = packed_batches(
            group, rows=self._rows, length=self._length, end=self._end, rng=rng, topics=topics
        )
        self._next = 0
