"""How well an adapter predicts posts, by the packed forward pass of training. Imports TensorFlow.

A pretrained model measures several posts in one pass this way, in a fraction of the time that single steps take.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.errors import TooFewPosts, mark
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.store import LIBRARY
from models_app.ml.networks.phrases import Phrases

from .config import AdapterConfig
from .learner import AdapterLearner
from .packing import PackedBatch, packed_batches
from .prebuilt import learner_for


def bits_per_character(
    checkpoint: Checkpoint, posts: Sequence[str], between: Callable[[], None] = lambda: None
) -> float:
    """Return the bits per character of all posts, end marks included, as `evaluation.evaluate` would.

    A post that is longer than a row of training continues without its beginning. Calls `between` before each batch; if
    it raises, the work ends. No training may run in this process. Raises TooFewPosts if there are no posts.
    """
    if not posts:
        raise TooFewPosts(mark("There are no posts to evaluate the model on. Add some."))
    network, usual = checkpoint.network, AdapterConfig()
    if not isinstance(network, LlamaConfig):
        raise TypeError(f"An adapter needs a Llama, not a network of kind {network.kind}.")
    # Those of a training, so that its graph is used again.
    learner = learner_for(network, beta_2=usual.beta_2, clip_norm=usual.clip_norm)
    learner.set_weights(checkpoint.weights)
    vocabulary = LIBRARY.get(network.pretrained).vocabulary
    batches = packed_batches(
        [vocabulary.encode(post) for post in posts],
        rows=usual.batch_size,
        length=usual.sequence_length,
        end=network.end,
    )
    (nats,) = nats_with(learner, batches, [checkpoint.phrases], between)
    return nats / math.log(2) / sum(len(post) + 1 for post in posts)


def nats_with(
    learner: AdapterLearner,
    batches: Sequence[PackedBatch],
    phrases: Sequence[Phrases | None],
    between: Callable[[], None] = lambda: None,
) -> list[float]:
    """Return the summed loss in nats of the learner's weights with each of these phrases, measured in one pass."""
    totals = [0.0] * len(phrases)
    for batch in batches:
        between()
        counts = batch.weights > 0
        surprisals, targets = learner.surprisals(batch)[counts], batch.targets[counts]
        contexts = batch.contexts()[counts]
        for number, each in enumerate(phrases):
            mixed = surprisals if each is None else each.surprisals(surprisals, contexts, targets)
            totals[number] += float(np.sum(mixed, dtype=np.float64))
    return totals
