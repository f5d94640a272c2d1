"""Does a base model predict other people's posts better if its tables of contexts, or its logits, are smaller?

    python -m benchmarks.table_factors --base DIRECTORY --posts ../shared/data/corpus/valid.txt.xz \\
        --try 1,1,1 0.9,0.8,1 0.9,0.8,0.98 --save DIRECTORY --json

Each of `--try` multiplies the tables, in the order of the network's contexts, and then the logits. Bits per character
are those of every `--stride`-th post. `--save` writes the best one as a checkpoint, and measures it and the original on
all posts, most of which had no part in the choice.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models_app.ml.checkpoint import Checkpoint, load, save
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.networks.hashed_ngrams import table_name
from models_app.ml.training.dataset import stream_posts

from . import common
from .common import say


def factors_in(text: str) -> tuple[float, ...]:
    """Return numbers that commas separate. For argparse."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} isn't a list of numbers such as 0.9,0.8,1") from None


def multiplied(base: Checkpoint, factors: Sequence[float]) -> Checkpoint:
    """Return the network with each table multiplied by its factor, and the logits by the last one.

    Raises SystemExit if there isn't one factor for each table and one for the logits.
    """
    tables = len(getattr(base.network, "contexts", ()))
    if len(factors) != tables + 1:
        raise SystemExit(f"The network has {tables} tables. Name a factor for each, and one for the logits.")
    by_name = {table_name(place): factor for place, factor in enumerate(factors[:-1])}
    by_name |= dict.fromkeys(("output_kernel", "output_bias"), factors[-1])
    weights = {name: array * np.float32(by_name.get(name, 1)) for name, array in base.weights.items()}
    return replace(base, weights=weights, meta={**base.meta, "multiplied": by_name})


def main(argv: Sequence[str] | None = None) -> None:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--base", type=Path, default=common.BASE, help="the folder of the model")
    parser.add_argument("--posts", type=Path, required=True, help="posts of others, a line each (.txt, .xz or .gz)")
    parser.add_argument("--stride", type=int, default=4, help="choose by every so many posts")
    parser.add_argument("--try", dest="tried", nargs="+", type=factors_in, required=True, metavar="FACTORS")
    parser.add_argument("--save", type=Path, metavar="DIRECTORY", help="where to write the best one")
    options = parser.parse_args(argv)
    facts = common.machine()
    base = load(options.base)
    posts = list(stream_posts([options.posts]))
    bits: dict[tuple[float, ...], float] = {}
    for factors in options.tried:
        say(f"factors {factors}")
        bits[factors] = evaluate(multiplied(base, factors), posts[:: options.stride]).bits_per_character
    common.table(["factors", "bits per character"], [(", ".join(map(str, each)), f"{bits[each]:.4f}") for each in bits])
    best = min(bits, key=lambda each: bits[each])
    found: dict[str, Any] = {"tried": [{"factors": each, "bits": value} for each, value in bits.items()], "best": best}
    if options.save:
        chosen = multiplied(base, best)
        kept = save(options.save, network=chosen.network, weights=chosen.weights, meta=chosen.meta, half=True)
        whole = {"before": evaluate(base, posts), "after": evaluate(kept, posts)}
        found["all_posts"] = {name: each.bits_per_character for name, each in whole.items()}
        print(f"All posts: {found['all_posts']['before']:.4f} before, {found['all_posts']['after']:.4f} after.")
    if options.json:
        common.json_line({"benchmark": "table_factors", **found, "machine": facts})


if __name__ == "__main__":
    main()
