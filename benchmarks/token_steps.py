"""How fast a step of a network of tokens is if its loss is computed a few rows at a time, against all at once.

    python -m benchmarks.token_steps --json

"whole" computes all logits of a step at once, as the networks of bytes do; "in parts" is what the product does
(`ml/networks/fused_ops.output_loss`). Both learn the same batches of random tokens, each in its own process.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models_app.ml.checkpoint import load
from models_app.ml.config import NetworkConfig
from models_app.ml.networks.gated_linear_rnn_network import GlrNetwork
from models_app.ml.networks.keras_network import NamedModel
from models_app.ml.training.dataset import Batch
from models_app.ml.training.learner import Learner
from models_app.ml.vocabulary import vocabulary_of

from . import common
from .common import Contender

#: Rows, symbols of a row, and the optimizer: a fine-tune of the quick tier, and a base training.
SHAPES = ((32, 32, "adam"), (128, 64, "muon"), (256, 64, "muon"))


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    facts = common.machine()
    result: dict[str, Any] = {"machine": facts, "shapes": {}}
    rows = []
    for shape in SHAPES[: options.shapes]:
        contenders = {
            name: common.in_own_process(contender, name, options.base, *shape, options.steps)
            for name in ("in parts", "whole")
        }
        rates = common.interleaved(contenders, options.rounds)
        ratio = common.ratio(rates, "in parts", "whole")
        name = "{} x {}, {}".format(*shape)
        speeds = {each: common.spread(found) for each, found in rates.items()}
        result["shapes"][name] = speeds | {"ratio": ratio}
        rows.append([name, *(each.text(0) for each in speeds.values()), ratio.text()])
    print(f"{facts['processor']}, {facts['cores']} cores, load {facts['load_at_start']}\n")
    common.table(["batch", "in parts, tokens per second", "whole", "ratio"], rows)
    if options.json:
        common.json_line(result)


def contender(name: str, base: Path, rows: int, length: int, optimizer: str, steps: int) -> Contender:
    """Return the contender whose turn is this many steps, in tokens per second."""
    checkpoint = load(base)
    network = checkpoint.network
    if not isinstance(network, NetworkConfig) or not network.tied:
        raise SystemExit(f"{base} isn't a base of tokens.")
    vocabulary, rng = vocabulary_of(network), np.random.default_rng(0)
    learner = Learner(network, checkpoint.weights, beta_2=0.99, clip_norm=1.0, optimizer=optimizer)
    if name == "whole":
        model = learner._model
        model.loss_of = partial(_whole, model)
    learner.reset(rows)
    drawn = rng.integers(0, vocabulary.size, (steps, 2, rows, length)).astype(vocabulary.dtype)
    batches = [Batch(inputs, targets, np.ones(inputs.shape, np.float32)) for inputs, targets in drawn]

    def work() -> None:
        for batch in batches:
            learner.train(batch, learning_rate=1e-6)

    return common.timed(work, steps * rows * length)


def _whole(model: GlrNetwork, read: Any, labels: Any, weights: Any, products: str | None) -> Any:
    return NamedModel.loss_of(model, model._logits(read, products), labels, weights, products)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--base", type=Path, default=common.BASE, metavar="DIR")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=6, help="steps in a turn")
    parser.add_argument("--shapes", type=int, default=len(SHAPES), help="how many of the shapes, the first ones")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
