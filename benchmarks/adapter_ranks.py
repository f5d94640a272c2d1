"""How much does a trained fluent base lose with an adapter of a lower rank?

    python -m benchmarks.adapter_ranks --base DIRECTORY --posts ../shared/data/corpus/valid.txt.xz --ranks 22 16 \\
        --save DIRECTORY --json

Bits per character are those of every `--stride`-th post, in float16 as bases are stored. `--save` writes the base with
the last of the ranks.
"""

from __future__ import annotations

import argparse
import lzma
import tempfile
from collections.abc import Sequence
from pathlib import Path

from models_app.ml.checkpoint import Checkpoint, load, save
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.networks.llama.store import LIBRARY
from models_app.ml.networks.reshaping import reshaped

from . import common, fluent
from .common import say


def of_rank(base: Checkpoint, rank: int, folder: Path) -> Checkpoint:
    """Write the base with this rank into the folder and return it as it's read from there."""
    network, weights = reshaped(base.network, base.weights, rank=rank)
    return save(folder, network=network, weights=weights, meta=base.meta, half=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--base", type=Path, default=common.ROOT / "checkpoints" / "fluent", metavar="DIR")
    parser.add_argument("--pretrained", type=Path, default=fluent.PRETRAINED, metavar="DIR")
    parser.add_argument("--posts", type=Path, required=True, help="posts of others, one on each line (.txt.xz)")
    parser.add_argument("--stride", type=int, default=8, help="measure on every so many posts (default: %(default)s)")
    parser.add_argument("--ranks", nargs="+", type=int, required=True, metavar="RANK")
    parser.add_argument("--save", type=Path, metavar="DIR", help="where to write the base with the last rank")
    options: argparse.Namespace = parser.parse_args(argv)
    facts = common.machine()
    LIBRARY.keep_in(options.pretrained)
    base = load(options.base)
    with lzma.open(options.posts, "rt", encoding="utf-8", newline="\n") as lines:
        posts = [line.rstrip("\n") for line in lines if line.strip()][:: options.stride]
    bits: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for rank in options.ranks:
            say(f"rank {rank}")
            bits[rank] = evaluate(of_rank(base, rank, Path(folder)), posts).bits_per_character
    common.table(["rank", "bits per character"], [(rank, f"{value:.4f}") for rank, value in bits.items()])
    if options.save:
        of_rank(base, options.ranks[-1], options.save)
    if options.json:
        by_rank = {str(rank): value for rank, value in bits.items()}
        common.json_line({"benchmark": "adapter_ranks", "posts": len(posts), "bits": by_rank, "machine": facts})


if __name__ == "__main__":
    main()
