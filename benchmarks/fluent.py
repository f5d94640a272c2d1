"""How well fluent bots foresee a person's newest posts: untrained, adapted to posts, with posts in context, trained.

    python -m benchmarks.fluent ../shared/data/personas/*.jsonl.gz --out fluent.jsonl --json

For each persona, in bits per character on the newest 10 % (at most `--most` of them): "smollm2", the pretrained model
as its publisher made it; "adapted", the fluent base (`--base`); "instant", the same with the newest of the older posts
in its context, as an instant bot has them; "trained", the base after a fine-tune with its defaults on the oldest 80 %.
The JSON also has the trained bot's bits without its phrases ("without_phrases"), and how far it trusts them ("trust").

The trained bot also writes `--posts` posts with its defaults, but without the copy guard, as for a report card. "Told
apart" is how often a classifier rightly calls one of these or of the newest 20 % written or real
(evaluation/told_apart.py), where guessing gets 50 %. "Floor" is the same with posts of the oldest 80 % instead of
written ones: a person's topics change, so the person's own posts can be told apart, too. With `--out`, an interrupted
run continues. `--set NAME=VALUE` tries another value of the fine-tune's recipe.
"""

from __future__ import annotations

import argparse
import math
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.evaluation.told_apart import told_apart
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.weights import first_adapter
from models_app.ml.sampling import links
from models_app.ml.sampling.context import fitting
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.training.adapters.config import AdapterConfig, default_epochs_for
from models_app.ml.training.adapters.measuring import bits_per_character
from models_app.ml.training.adapters.trainer import fine_tune
from models_app.ml.training.events import FineTuneResult

from . import common
from .bases import FLUENT, PRETRAINED, loaded
from .common import say
from .personas import Persona, read_persona
from .results import Outcome, Results

#: The most posts of a request.
REQUEST: Final = 100
NAMES: Final = ("smollm2", "adapted", "instant", "trained")


class Measuring:
    """Measures the contenders on one persona's newest posts."""

    def __init__(self, base: Checkpoint, persona: Persona, *, most: int, posts: int, settings: dict[str, Any]) -> None:
        assert isinstance(base.network, LlamaConfig)
        self._base, self._network, self._persona, self._settings = base, base.network, persona, settings
        self._test, self._posts = persona.test[-most:], posts

    def measured(self, name: str) -> Outcome:
        """Return the outcome of a contender of NAMES."""
        ways: dict[str, Callable[[], Outcome]] = {
            "smollm2": lambda: self._untrained(first_adapter(self._network, 0)),
            "adapted": lambda: self._untrained(self._base.weights),
            "instant": self._instant,
            "trained": self._trained,
        }
        return ways[name]()

    def _untrained(self, weights: Any) -> Outcome:
        model = Checkpoint(self._network, weights, {}, "")
        return Outcome(bits_per_character(model, self._test), math.nan, 0.0, 0)

    def _instant(self) -> Outcome:
        older = [*self._persona.train, *self._persona.validation]
        context = fitting(reversed(older))
        begun = time.perf_counter()
        bits = evaluate(self._base, self._test, context=context).bits_per_character
        return Outcome(bits, math.nan, time.perf_counter() - begun, 0, {"context_posts": len(context)})

    def _trained(self) -> Outcome:
        characters = sum(map(len, self._persona.train))
        settings = {"epochs": default_epochs_for(characters)} | self._settings
        config = AdapterConfig.auto(characters=characters, **settings)
        begun, cpu = time.perf_counter(), time.process_time()
        result = learned(self._base, self._persona, config)
        more = {
            "cpu_seconds": time.process_time() - cpu,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "config": config.as_dict(),
        }
        seconds = time.perf_counter() - begun
        bits = bits_per_character(result.checkpoint, self._test)
        without = bits_per_character(replace(result.checkpoint, phrases=None), self._test)
        more |= {"trust": result.phrases.trust if result.phrases else 0, "without_phrases": without}
        if self._posts:
            more |= self._apart(result.checkpoint)
        return Outcome(bits, result.bits_per_character, seconds, config.epochs, more)

    def _apart(self, bot: Checkpoint) -> dict[str, Any]:
        """Return how often a classifier tells the bot's posts, and learned ones, from the newest 20 %."""
        real = [*self._persona.validation, *self._persona.test]
        link_guard = links.guard_for(real)
        config = SamplingConfig(copy_guard=False, mask_mentions=False, link_guard=link_guard)
        begun = time.perf_counter()
        sampler, written = Sampler(bot), list[str]()
        for seed in range(1, 1 + -(-self._posts // REQUEST)):
            count = min(REQUEST, self._posts - REQUEST * (seed - 1))
            written += sampler.generate(replace(config, count=count, seed=seed)).posts
        older = np.random.default_rng(1).permutation(len(self._persona.train))[: len(written)]
        sides = {"told_apart": written, "floor": [self._persona.train[place] for place in older.tolist()]}
        found = {name: told_apart(real, posts, seed=0) for name, posts in sides.items()}
        more: dict[str, Any] = {"posts": len(written), "writing_seconds": time.perf_counter() - begun}
        return more | {name: None if each is None else asdict(each) for name, each in found.items()}


def learned(base: Checkpoint, persona: Persona, config: AdapterConfig) -> FineTuneResult:
    """Return the fine-tune of a fluent base on the persona's posts, as in the product."""
    with tempfile.TemporaryDirectory() as work:
        return fine_tune(
            start=base,
            train=persona.train,
            validation=persona.validation,
            config=config,
            work_dir=Path(work),
            on_progress=lambda _: None,
            on_epoch=lambda point: say(f"  point {point.epoch}: {point.bits_per_character:.3f}"),
            control=lambda: "go",
            sample_count=0,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    facts = common.machine()
    base, results = loaded(options.base, options.pretrained), Results(options.out)
    rows: list[dict[str, Any]] = []
    for path in options.personas:
        persona = read_persona(path, newest=options.newest)
        measuring = Measuring(base, persona, most=options.most, posts=options.posts, settings=dict(options.set))
        row: dict[str, Any] = {"persona": persona.name, "posts": persona.posts, "characters": persona.characters}
        for name in options.contenders:
            key: dict[str, Any] = {
                "persona": persona.fingerprint(),
                "most": options.most,
                "contender": name,
                "base": base.sha256 if name != "smollm2" else "",
                "settings": dict(options.set) if name == "trained" else {},
            }
            if name == "trained" and options.posts:
                key["posts"] = options.posts
            outcome = results.get(key)
            if outcome is None:
                outcome = measuring.measured(name)
                results.put(key, outcome)
            say(f"{persona.name}: {name} {outcome.bits:.3f} ({outcome.seconds:.0f} s)")
            row[name] = {"bits": outcome.bits, "seconds": outcome.seconds, **outcome.more}
        rows.append(row)
    means = {name: statistics.fmean(row[name]["bits"] for row in rows) for name in options.contenders}
    result: dict[str, Any] = {
        "benchmark": "fluent",
        "machine": facts,
        "base": base.sha256,
        "personas": rows,
        "means": means,
    }
    body: list[list[object]] = [
        [row["persona"], f"{row['posts']:,}", f"{row['characters']:,}", *(f"{row[name]['bits']:.3f}" for name in means)]
        for row in rows
    ]
    body.append(["mean", "", "", *(f"{bits:.3f}" for bits in means.values())])
    print("Bits per character on the newest 10 %:\n")
    common.table(["persona", "posts", "characters", *means], body)
    apart = [[row["persona"], *_percents(row["trained"])] for row in rows if row.get("trained", {}).get("told_apart")]
    if apart:
        result["told_apart"] = _mean_of(rows, "told_apart")
        result["floor"] = _mean_of(rows, "floor")
        print("\nTold apart from the newest 20 %:\n")
        common.table(
            ["persona", "written posts", "learned posts (floor)", "posts of each"],
            [
                *apart,
                ["mean", f"{result['told_apart']:.1%}", f"{result['floor']:.1%}", ""],
            ],
        )
    if options.json:
        common.json_line(result)


def _percents(found: Mapping[str, Any]) -> list[str]:
    told, floor = found["told_apart"], found["floor"]
    return [f"{each['share']:.1%} ± {each['error']:.1%}" for each in (told, floor)] + [str(told["posts"])]


def _mean_of(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    found = (row["trained"].get(name) for row in rows)
    return statistics.fmean(each["share"] for each in found if each)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("personas", nargs="+", type=Path, metavar="FILE", help="posts of a person, newest first")
    parser.add_argument("--base", type=Path, default=FLUENT, metavar="DIR")
    parser.add_argument("--pretrained", type=Path, default=PRETRAINED, metavar="DIR")
    parser.add_argument("--contenders", nargs="+", choices=NAMES, default=list(NAMES), metavar="NAME")
    parser.add_argument("--newest", type=int, default=3200, help="posts to read of each file (default: %(default)s)")
    parser.add_argument("--most", type=int, default=320, help="posts to measure on (default: %(default)s)")
    parser.add_argument(
        "--posts", type=int, default=100, help="posts that the trained bot writes (default: %(default)s; 0: none)"
    )
    parser.add_argument("--set", action="append", default=[], type=common.setting, metavar="NAME=NUMBER")
    parser.add_argument("--out", type=Path, help="keep outcomes in this file, and take those that it has")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
