"""How fast a training step is, against stock Keras and PyTorch, and how close it gets to the machine's peak.

All contenders train the tutorial's network (embedding 64, one LSTM of 512, 256 symbols) with Adam on the same batches,
each in its own process with the threads that it chooses. "base" trains the network of the shipped base model. The
output also has the loss after the same steps with both types of products.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from models_app.ml.checkpoint import load
from models_app.ml.config import BYTES, NetworkConfig
from models_app.ml.networks.mixed_matmul import product_type
from models_app.ml.networks.registry import kind_of
from models_app.ml.training.dataset import Batch, epoch_batches
from models_app.ml.training.learner import Learner
from models_app.ml.vocabulary import UTF8_BYTES, vocabulary_of

from . import common, pytorch, stock
from .common import Contender, Rates, Spread, say
from .peak import operations_per_symbol, peak_contender
from .personas import some_posts

TYPES = ("float32", "bfloat16")
RATIOS = {
    "ratio_stock_keras": "keras",
    "ratio_torch_float32": "torch_float32",
    "ratio_torch_bf16": "torch_bfloat16",
    "ratio_own_float32": "ours_float32",
}


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    facts = common.machine()
    network = NetworkConfig(kind="lstm", embedding=options.embedding, units=options.units)
    base = load(options.base).network
    if not isinstance(base, NetworkConfig):
        raise SystemExit(f"{options.base} is no small base model.")
    products = product_type()
    if not pytorch.installed():
        say("PyTorch is not installed and left out; `uv sync --group benchmarks` installs it.")

    contenders: dict[str, Contender] = {f"peak_{k}": common.in_own_process(peak_contender, k) for k in TYPES}
    for rows in options.batches:
        steps = max(1, options.steps * options.batches[0] // rows)
        for name in names():
            start = options.base if name == "base" else network
            contenders[f"{name}@{rows}"] = common.in_own_process(contender, name, start, rows, options.length, steps)
    rates = common.interleaved(contenders, options.rounds)

    result: dict[str, Any] = {"batch": options.batches[0], "products": products, "machine": facts}
    result["peak_gflops"] = {kind: max(rates[f"peak_{kind}"]) / 1e9 for kind in TYPES}
    size, count = bytes_in(made_batches(options.batches[0], options.length, options.steps, base), base)
    result["operations_per_byte"] = {
        "lstm": operations_per_symbol(network),
        "base": round(operations_per_symbol(base) * count / size),
    }
    result["batches"] = {
        rows: figures(rates, rows, f"ours_{products}", products, result["operations_per_byte"])
        for rows in options.batches
    }
    if options.loss_steps:
        result |= losses(network, options)
    _show(result)
    if options.json:
        first = result["batches"][options.batches[0]]
        headline = {name: found.median for name, found in first.items() if isinstance(found, Spread)}
        common.json_line(
            headline
            | {"bytes_per_second": first["bytes_per_second"]}
            | {"base_bytes_per_second": first["bytes_per_second"]["base"].median}
            | {"processor": facts["processor"]}
            | result
        )


def names() -> list[str]:
    """Return the contenders."""
    torch = [f"torch_{kind}" for kind in TYPES] if pytorch.installed() else []
    return [*(f"ours_{kind}" for kind in TYPES), "base", "keras", *torch]


def contender(name: str, start: NetworkConfig | Path, rows: int, length: int, steps: int) -> Contender:
    """Return the contender whose turn is this many training steps of (rows, length), in bytes per second.

    `start` is the network, or the folder of a base model.
    """
    # A process of its own doesn't know the vocabulary before.
    network = start if isinstance(start, NetworkConfig) else load(start).network
    assert isinstance(network, NetworkConfig)
    sizes = {"embedding": network.embedding, "units": network.units}
    batches = made_batches(rows, length, steps, network)
    if name == "keras":
        work = stock.training_work(batches, **sizes)
    elif name.startswith("torch_"):
        work = pytorch.training_work(batches, bfloat16=name.endswith("bfloat16"), **sizes)
    else:
        work = learner_work(network, batches, None if name == "base" else name.removeprefix("ours_"))
    return common.timed(work, bytes_in(batches, network)[0])


def learner_work(network: NetworkConfig, batches: Sequence[Batch], products: str | None) -> Callable[[], None]:
    """Return a function that trains one step on each batch as the product does."""
    weights = kind_of(network).first_weights(network, 0)
    learner = Learner(network, weights, beta_2=0.999, clip_norm=1.0, products=products)
    learner.reset(batches[0].inputs.shape[0])

    def work() -> None:
        for batch in batches:
            learner.train(batch, learning_rate=0.001)

    return work


def made_batches(rows: int, length: int, count: int, network: NetworkConfig) -> list[Batch]:
    """Return this many full batches of posts."""
    vocabulary, least = vocabulary_of(network), 60 if network.vocabulary == BYTES else 15  # symbols of a post
    posts = [vocabulary.encode(post) for post in some_posts(max(rows, rows * length * (count + 1) // least))]
    _, batches = epoch_batches(posts, vocabulary=vocabulary, batch_size=rows, sequence_length=length, seed=0, epoch=0)
    return list(islice(cycle(list(batches)[:-1]), count))


def bytes_in(batches: Sequence[Batch], network: NetworkConfig) -> tuple[int, int]:
    """Return the bytes and the symbols of the batches."""
    vocabulary = vocabulary_of(network)
    return sum(vocabulary.bytes_of(batch.targets) for batch in batches), sum(batch.targets.size for batch in batches)


def figures(rates: Rates, rows: int, ours: str, products: str, operations: dict[str, int]) -> dict[str, Any]:
    """Return the result of one batch size: ratios, shares of the peak, bytes per second."""
    at = f"@{rows}"
    names = [name.removesuffix(at) for name in rates if name.endswith(at)]
    found: dict[str, Any] = {
        key: common.ratio(rates, ours + at, other + at) for key, other in RATIOS.items() if other in names
    }
    for key, name, kind in (("share_of_peak", ours, "lstm"), ("base_share_of_peak", "base", "base")):
        reached = {"it": [rate * operations[kind] for rate in rates[name + at]], "peak": rates[f"peak_{products}"]}
        found[key] = common.ratio(reached, "it", "peak")
    found["bytes_per_second"] = {name: common.spread(rates[name + at]) for name in names}
    return found


def losses(network: NetworkConfig, options: argparse.Namespace) -> dict[str, float]:
    """Return the validation loss, in nats per byte, after the same steps with both types, and from other first weights.

    The difference between the last and the first shows the noise. All are validated in float32.
    """
    rows, length, steps = options.batches[0], options.length, options.loss_steps
    posts = [UTF8_BYTES.encode(post) for post in some_posts(rows * length * steps // 60 + 400)]
    _, batches = epoch_batches(
        posts[400:], vocabulary=UTF8_BYTES, batch_size=rows, sequence_length=length, seed=0, epoch=0
    )
    train = list(islice(batches, steps))
    found = {}
    for key, kind, seed in (("float32", "float32", 0), ("bfloat16", "bfloat16", 0), ("other_start", "float32", 1)):
        say(f"loss after {len(train)} steps: {key}")
        weights = kind_of(network).first_weights(network, seed)
        learner = Learner(network, weights, beta_2=0.99, clip_norm=1.0, products=kind)
        learner.reset(rows)
        for batch in train:
            learner.train(batch, learning_rate=0.002)
        _, check = epoch_batches(
            posts[:400], vocabulary=UTF8_BYTES, batch_size=rows, sequence_length=length, seed=0, epoch=0
        )
        total, count = learner.validate(check)
        found[f"loss_{key}"] = total / count
    return found | {"loss_steps": len(train), "loss_untrained": math.log(256)}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="steps of the first batch size in a turn")
    parser.add_argument("--batches", type=common.whole_numbers_in, default=[64, 128], help="the first is the headline")
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--embedding", type=int, default=64)
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--loss-steps", type=int, default=100, help="0: no comparison of losses")
    parser.add_argument("--base", type=Path, default=common.BASE, metavar="DIR")
    return parser.parse_args(arguments)


def _show(result: dict[str, Any]) -> None:
    machine = result["machine"]
    print(f"{machine['processor']}, {machine['cores']} cores, load {machine['load_at_start']}; {machine['versions']}")
    print(f"Our products are in {result['products']}.", end=" ")
    if not machine["native_bfloat16"]:
        print("This processor has no bfloat16 of its own: where it is used here, it is emulated.", end="")
    print("\n")
    for rows, found in result["batches"].items():
        speeds = found["bytes_per_second"]
        ours = speeds[f"ours_{result['products']}"].median
        common.table(
            [f"batch {rows}", "bytes per second", "ours is this many times as fast"],
            [[name, one.text(0), f"{ours / one.median:.2f}"] for name, one in speeds.items()],
        )
        for key in found:
            if key != "bytes_per_second":
                print(f"{key}: {found[key].text(3)}")
        print()
    print("Peak of products, GFLOP/s:", {kind: round(value, 1) for kind, value in result["peak_gflops"].items()})
    print("Operations of training on a byte (6 a weight in products and symbol):", result["operations_per_byte"])
    for key in ("float32", "bfloat16", "other_start"):
        if f"loss_{key}" in result:
            print(f"Loss after {result['loss_steps']} steps, {key}: {result[f'loss_{key}']:.4f} nats per byte")


if __name__ == "__main__":
    main()
