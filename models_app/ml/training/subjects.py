"""What a base training can train: a small network as a whole, or the adapter of a pretrained model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from models_app.ml.config import NetworkConfig, PretrainConfig
from models_app.ml.errors import BadSetting, mark
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.registry import Network
from models_app.ml.vocabulary import Symbols, Vocabulary, vocabulary_of

from .dataset import StreamPacker, epoch_batches
from .learner import Learner
from .mention_augmentation import Renaming

Arrays = dict[str, NDArray[Any]]
#: Rows of a validation batch of a small network.
_VALIDATION_ROWS = 128


class AnyBatch(Protocol):
    """Targets (R, T) and how much each counts."""

    @property
    def targets(self) -> NDArray[Any]: ...

    @property
    def weights(self) -> NDArray[Any]: ...


class AnyLearner(Protocol):
    """What `Learner` and `AdapterLearner` have in common."""

    def train(self, batch: Any, *, learning_rate: float) -> tuple[float, float]: ...

    def validate(self, batches: Any, between: Callable[[], None] = ...) -> tuple[float, float]: ...

    def weights(self) -> Arrays: ...

    def set_weights(self, weights: Mapping[str, NDArray[Any]]) -> None: ...

    def snapshot(self) -> Arrays: ...

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None: ...


class Stream(Protocol):
    """An endless iterator of batches that can resume from its position."""

    def position(self) -> dict[str, Any]: ...

    def __next__(self) -> AnyBatch: ...


class Subject(Protocol):
    """A learner and its batches."""

    @property
    def learner(self) -> AnyLearner: ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    def train(self, batch: Any, *, learning_rate: float, step: int) -> tuple[float, float]:
        """Train step number `step`; return the summed loss in nats and its number of symbols."""

    def start(self) -> None:
        """Get ready for the first batch of a training that isn't resumed."""

    def stream(self, corpus: Sequence[Path], renaming: Renaming, position: Mapping[str, Any] | None) -> Stream:
        """Return the batches of the corpus, from this position on."""

    def held_out(self, posts: Sequence[Symbols]) -> Iterable[AnyBatch]:
        """Return the batches of one reading of these posts."""


def subject_of(network: Network, config: PretrainConfig, weights: Mapping[str, NDArray[Any]]) -> Subject:
    """Return what to train, with these weights. Raises PretrainedError for a pretrained model that isn't here."""
    if isinstance(network, LlamaConfig):
        # Imported late: small networks need nothing of it.
        from .adapters.subject import Adapter

        return Adapter(network, config, weights)
    return SmallNetwork(network, config, weights)


class SmallNetwork:
    """A network that learns as a whole, on rows of posts that never end."""

    def __init__(self, network: NetworkConfig, config: PretrainConfig, weights: Mapping[str, NDArray[Any]]) -> None:
        if config.topics:
            raise BadSetting(mark("Only the adapter of a pretrained model learns %(name)s."), name="topics")
        self._config, self.vocabulary = config, vocabulary_of(network)
        self.learner = Learner(
            network,
            weights,
            beta_2=config.beta_2,
            clip_norm=config.clip_norm,
            dropout=config.dropout,
            optimizer=config.optimizer,
        )

    def train(self, batch: Any, *, learning_rate: float, step: int) -> tuple[float, float]:
        """Train a step, whose dropout depends on the seed and the number of the step only."""
        # Seeds are 32 bits in TensorFlow.
        seed = (self._config.seed * 7919 % 2**31, step % 2**31)
        return self.learner.train(batch, learning_rate=learning_rate, seed=seed)

    def start(self) -> None:
        """Set the recurrent state to zero."""
        self.learner.reset(self._config.batch_size)

    def stream(self, corpus: Sequence[Path], renaming: Renaming, position: Mapping[str, Any] | None) -> StreamPacker:
        """Return the batches of the corpus, from this position on."""
        config = self._config
        return StreamPacker(
            corpus,
            vocabulary=self.vocabulary,
            batch_size=config.batch_size,
            sequence_length=config.sequence_length,
            seed=config.seed,
            shuffle_posts=config.shuffle_posts,
            renaming=renaming,
            position=position,
        )

    def held_out(self, posts: Sequence[Symbols]) -> Iterator[Any]:
        """Return the batches of one reading of these posts."""
        rows = {"batch_size": _VALIDATION_ROWS, "sequence_length": self._config.sequence_length}
        return epoch_batches(posts, vocabulary=self.vocabulary, **rows, seed=0, epoch=0)[1]
