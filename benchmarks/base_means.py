"""Is the mean of several fluent bases better than each of them?

    python -m benchmarks.base_means --bases DIRECTORY DIRECTORY --shares 0.5 0.5 \\
        --posts ../shared/data/corpus/valid.txt.xz --save DIRECTORY --json

Of bases that were trained from one another, the mean of the weights is often better than any of them, because what each
has learned by chance cancels out ("Model soups", Wortsman et al. 2022, arXiv:2203.05482). Bits per character are those
of every `--stride`-th post, in float16 as bases are stored, measured with the products of a training. `--save` writes
the mean and its bits per character. It names the last of the bases as its origin.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_app.ml.checkpoint import Checkpoint, save
from models_app.ml.training.adapters.measuring import bits_per_character
from models_app.ml.training.dataset import stream_posts

from . import common
from .bases import PRETRAINED, loaded
from .common import say


def mean_of(bases: Sequence[Checkpoint], shares: Sequence[float]) -> dict[str, NDArray[np.float32]]:
    """Return the weighted mean of the bases' weights, by name. Raises ValueError if it makes no sense."""
    if len(bases) != len(shares) or not np.isclose(sum(shares), 1):
        raise ValueError("Give one share for each base. Together they must be 1.")
    if any(base.network != bases[0].network for base in bases):
        raise ValueError("The bases must be of the same network and rank.")
    return {
        name: np.sum([np.float32(share) * base.weights[name] for base, share in zip(bases, shares, strict=True)], 0)
        for name in bases[0].weights
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--bases", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--shares", type=float, nargs="+", required=True, metavar="SHARE", help="together 1")
    parser.add_argument("--pretrained", type=Path, default=PRETRAINED, metavar="DIR")
    parser.add_argument("--posts", type=Path, required=True, help="posts of others, a line each (.txt, .xz or .gz)")
    parser.add_argument("--stride", type=int, default=8, help="measure on every so many posts (default: %(default)s)")
    parser.add_argument("--only-mean", action="store_true", help="don't measure the bases themselves")
    parser.add_argument("--save", type=Path, metavar="DIR", help="where to write the mean")
    options: argparse.Namespace = parser.parse_args(argv)
    facts = common.machine()
    bases = [loaded(folder, options.pretrained) for folder in options.bases]
    weights = mean_of(bases, options.shares)
    posts = list(stream_posts([options.posts]))[:: options.stride]
    found: list[float] = []
    for folder, base in zip(options.bases, bases, strict=True):
        if not options.only_mean:
            say(f"{folder}")
            found.append(bits_per_character(base, posts))
    say("mean")
    of_mean: dict[str, Any] = {
        "mean_of": [{"sha256": base.sha256, "share": share} for base, share in zip(bases, options.shares, strict=True)]
    }
    last = bases[-1]
    with tempfile.TemporaryDirectory() as folder:
        mean = save(Path(folder) / "mean", network=last.network, weights=weights, meta={}, half=True)
    bits = bits_per_character(mean, posts)
    names = [str(folder) for folder in options.bases]
    rows = [*zip(names, found, strict=False), ("mean", bits)]
    common.table(["base", "bits per character"], [(name, f"{value:.4f}") for name, value in rows])
    if options.save:
        every = "" if options.stride == 1 else f"every {options.stride}th post of "
        measured = {"bits_per_character": bits, "validation": f"{every}{options.posts.name}"}
        # These are of the last base alone.
        of_all = {name: value for name, value in last.meta.items() if name not in ("validation_loss", "half_costs")}
        meta = {**of_all, **of_mean, **measured}
        save(options.save, network=last.network, weights=weights, meta=meta, half=True)
    if options.json:
        common.json_line(
            {"benchmark": "base_means", "posts": len(posts), "bases": found, "mean": bits, **of_mean, "machine": facts}
        )


if __name__ == "__main__":
    main()
