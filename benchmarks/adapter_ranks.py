"""How much does a trained fluent base lose with an adapter of a lower rank?

    python -m benchmarks.adapter_ranks --base DIRECTORY --posts ../shared/data/corpus/valid.txt.xz --ranks 22 16 \\
        --save DIRECTORY --json

Bits per character are those of every `--stride`-th post, in float16 as bases are stored. `--save` writes the base with
the last of the ranks and its bits per character.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from models_app.ml.checkpoint import Checkpoint, save
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.networks.reshaping import reshaped
from models_app.ml.training.dataset import stream_posts

from . import common
from .bases import FLUENT, PRETRAINED, loaded
from .common import say


def of_rank(base: Checkpoint, rank: int, folder: Path, **measured: object) -> Checkpoint:
    """Write the base with this rank and what was measured of it. Return it as it's read from the folder."""
    network, weights = reshaped(base.network, base.weights, rank=rank)
    return save(folder, network=network, weights=weights, meta={**base.meta, **measured}, half=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--base", type=Path, default=FLUENT, metavar="DIR")
    parser.add_argument("--pretrained", type=Path, default=PRETRAINED, metavar="DIR")
    parser.add_argument("--posts", type=Path, required=True, help="posts of others, a line each (.txt, .xz or .gz)")
    parser.add_argument("--stride", type=int, default=8, help="measure on every so many posts (default: %(default)s)")
    parser.add_argument("--ranks", nargs="+", type=int, required=True, metavar="RANK")
    parser.add_argument("--save", type=Path, metavar="DIR", help="where to write the base with the last rank")
    options: argparse.Namespace = parser.parse_args(argv)
    facts = common.machine()
    base = loaded(options.base, options.pretrained)
    posts = list(stream_posts([options.posts]))[:: options.stride]
    bits: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for rank in options.ranks:
            say(f"rank {rank}")
            bits[rank] = evaluate(of_rank(base, rank, Path(folder)), posts).bits_per_character
    common.table(["rank", "bits per character"], [(rank, f"{value:.4f}") for rank, value in bits.items()])
    if options.save:
        last, measured_on = options.ranks[-1], f"every {options.stride}th post of {options.posts.name}"
        of_rank(base, last, options.save, bits_per_character=bits[last], validation=measured_on)
    if options.json:
        by_rank = {str(rank): value for rank, value in bits.items()}
        common.json_line({"benchmark": "adapter_ranks", "posts": len(posts), "bits": by_rank, "machine": facts})


if __name__ == "__main__":
    main()
