"""What a training gains from a process that waited for it: the same fine-tune with and without graphs built in advance.

    python -m benchmarks.waiting --json

It uses made-up posts, the product's split, trainer and recipe, and the shipped base model. Each run has its own process
with TensorFlow loaded. The two take turns, in reverse order in every second round. Seconds count from the start of the
training to its chosen weights. The time of the preparation is listed separately.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import common
from .common import peak_megabytes, say, spread
from .posts import made_posts

NAMES = ("at once", "after waiting")
Run = dict[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    if options.child:
        common.json_line(training(options.child == NAMES[1], options))
        return
    facts = common.machine()
    runs: dict[str, list[Run]] = {name: [] for name in NAMES}
    for number in range(options.rounds):
        for name in NAMES if number % 2 == 0 else NAMES[::-1]:
            say(f"round {number + 1} of {options.rounds}: {name}")
            runs[name].append(in_a_process(name, options))
    first, second = runs.values()
    result: dict[str, Any] = {
        "posts": options.posts,
        "seconds": {name: spread([run["seconds"] for run in runs[name]]) for name in NAMES},
        "ratio": spread([alone["seconds"] / waited["seconds"] for alone, waited in zip(first, second, strict=True)]),
        "saved_seconds": spread([a["seconds"] - w["seconds"] for a, w in zip(first, second, strict=True)]),
        "prepare_seconds": spread([run["prepare_seconds"] for run in second]),
        "waiting_mb": spread([run["waiting_mb"] for run in second]),
    }
    _show(result)
    if options.json:
        common.json_line(result | {"runs": runs, "machine": facts})


def in_a_process(name: str, options: argparse.Namespace) -> Run:
    """Return the result of `training` in a fresh process."""
    base = str(options.base.resolve())
    found: Run = common.child_line("waiting", "--child", name, "--posts", str(options.posts), "--base", base)
    return found


def training(is_prepared: bool, options: argparse.Namespace) -> Run:
    """Return the seconds of a fine-tune in this process, and of building its graphs in advance, if that was done."""
    from models_app.ml.checkpoint import load
    from models_app.ml.config import FineTuneConfig, default_epochs_for, traits_of
    from models_app.ml.training import prebuilt
    from models_app.ml.training.dataset import split
    from models_app.ml.training.trainer import fine_tune

    train, validation = split(list(made_posts(options.posts)), seed=0)
    characters, start = sum(map(len, train)), load(options.base)
    begun = time.perf_counter()
    if is_prepared:
        prebuilt.prepare(start)
    prepared, waiting = time.perf_counter() - begun, peak_megabytes()
    with tempfile.TemporaryDirectory(prefix="botfactory-bench-") as folder:
        done = fine_tune(
            start=start,
            train=train,
            validation=validation,
            config=FineTuneConfig.auto(
                characters=characters,
                epochs=default_epochs_for(characters),
                **traits_of(start.network.as_dict()),
            ),
            work_dir=Path(folder),
            on_progress=lambda _: None,
            on_epoch=lambda _: None,
            control=lambda: "go",
            sample_count=0,
        )
        seconds = time.perf_counter() - begun - prepared
    bits = done.bits_per_character
    return {"seconds": seconds, "prepare_seconds": prepared, "waiting_mb": waiting, "bits": bits}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__ or "")
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--base", type=Path, default=common.BASE, metavar="DIR")
    parser.add_argument("--child", choices=NAMES, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _show(result: dict[str, Any]) -> None:
    common.table(
        [f"{result['posts']:,} posts", "seconds"],
        [[name, each.text(1)] for name, each in result["seconds"].items()],
    )
    print(
        f"\nAfter waiting it is {result['ratio'].text()} times as fast, {result['saved_seconds'].text(1)} s sooner; "
        f"to prepare takes {result['prepare_seconds'].text(1)} s and {result['waiting_mb'].text(0)} MB."
    )


if __name__ == "__main__":
    main()
