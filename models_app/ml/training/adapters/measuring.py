"""How well an adapter predicts posts, by the packed forward pass of training. Imports TensorFlow.

A pretrained model measures several posts in one pass this way, in a fraction of the time that single steps take.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.errors import TooFewPosts, mark
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.store import LIBRARY

from .config import AdapterConfig
from .packing import packed_batches
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
    nats, _ = learner.validate(batches, between)
    return nats / math.log(2) / sum(len(post) + 1 for post in posts)
