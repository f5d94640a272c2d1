"""How a fine-tune's time and memory grow with the corpus: one epoch, with a process for each size.

    python -m benchmarks.growth --json

It uses made-up posts, the product's split and trainer, the shipped base model, and one batch size for all, because
"auto" chooses a smaller one for a small corpus. The time of a post is the difference between one size and the next
smaller one, so what every training does once, such as building the graph, drops out. Memory is the peak of the process:
with the posts of the corpus as strings (`posts_mb`), and at the end of the epoch (`peak_mb`). The network, its graph
and the optimizer don't grow. What grows is what is stored for each character: the posts as text and as bytes, and the
inputs, targets and weights of an epoch.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import common
from .common import peak_megabytes, say
from .posts import made_posts

if TYPE_CHECKING:
    from models_app.ml.training.trainer import FineTuneResult

Run = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    if options.child:
        common.json_line(epoch(options.child, options))
        return
    facts = common.machine()
    runs = [in_a_process(size, options) for size in sorted(options.sizes)]
    result = {"runs": runs} | growth(runs)
    _show(result)
    if options.json:
        common.json_line(result | {"batch": options.batch, "length": options.length, "machine": facts})


def in_a_process(size: int, options: argparse.Namespace) -> Run:
    """Return the result of `epoch` in a fresh process."""
    say(f"{size:,} posts")
    base, batch, length = str(options.base.resolve()), str(options.batch), str(options.length)
    found: Run = common.child_line("growth", "--child", str(size), "--base", base, "--batch", batch, "--length", length)
    return found


def epoch(size: int, options: argparse.Namespace) -> Run:
    """Return seconds and memory of one epoch on this many made-up posts, in this process."""
    posts = list(made_posts(size))
    with_posts = peak_megabytes()
    begun = time.perf_counter()
    result = trained(posts, options)
    return {
        "posts": size,
        "characters": sum(map(len, posts)),
        "seconds": time.perf_counter() - begun,
        "characters_per_second": result.characters_per_second,
        "posts_mb": with_posts,
        "peak_mb": peak_megabytes(),
    }


def trained(posts: Sequence[str], options: argparse.Namespace) -> FineTuneResult:
    """Return the result of one epoch by the product's trainer."""
    # Imported here, because neither the process that starts the others nor the posts alone need TensorFlow.
    from models_app.ml.checkpoint import load
    from models_app.ml.config import FineTuneConfig, traits_of
    from models_app.ml.training.dataset import split
    from models_app.ml.training.trainer import fine_tune

    train, validation = split(posts, seed=0)
    start = load(options.base)
    config = FineTuneConfig.auto(
        characters=sum(map(len, train)),
        epochs=1,
        **traits_of(start.network.as_dict()),
        batch_size=options.batch,
        sequence_length=options.length,
    )
    with tempfile.TemporaryDirectory(prefix="botfactory-bench-") as folder:
        return fine_tune(
            start=start,
            train=train,
            validation=validation,
            config=config,
            work_dir=Path(folder),
            on_progress=lambda _: None,
            on_epoch=lambda _: None,
            control=lambda: "go",
        )


def growth(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the milliseconds and the bytes that one more post takes, between one size and the next."""
    steps = [
        {
            "from": less["posts"],
            "to": more["posts"],
            "ms_per_post": 1e3 * (more["seconds"] - less["seconds"]) / (more["posts"] - less["posts"]),
            "bytes_per_post": 1e6 * (more["peak_mb"] - less["peak_mb"]) / (more["posts"] - less["posts"]),
        }
        for less, more in pairwise(runs)
    ]
    last = runs[-1]
    return {
        "growth": steps,
        "times_posts": last["posts"] / runs[0]["posts"],
        "times_seconds": last["seconds"] / runs[0]["seconds"],
        "times_memory": last["peak_mb"] / runs[0]["peak_mb"],
    }


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--sizes", type=common.whole_numbers_in, default=[100, 1_000, 10_000, 100_000], help="posts")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--base", type=Path, default=common.BASE, metavar="DIR")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _show(result: dict[str, Any]) -> None:
    before: list[dict[str, Any] | None] = [None, *result["growth"]]
    common.table(
        [
            "posts",
            "characters",
            "seconds",
            "ms a post more",
            "MB at most",
            "of these before the posts",
            "bytes a post more",
        ],
        [
            [
                f"{run['posts']:,}",
                f"{run['characters']:,}",
                f"{run['seconds']:.1f}",
                f"{step['ms_per_post']:.2f}" if step else "",
                f"{run['peak_mb']:,.0f}",
                f"{run['posts_mb']:,.0f}",
                f"{step['bytes_per_post']:,.0f}" if step else "",
            ]
            for run, step in zip(result["runs"], before, strict=True)
        ],
    )
    print(
        f"\n{result['times_posts']:,.0f} times the posts take {result['times_seconds']:.1f} times the seconds "
        f"and {result['times_memory']:.2f} times the memory."
    )


if __name__ == "__main__":
    main()
