"""How well fluent bots foresee a person's newest posts: untrained, adapted to posts, with posts in context, trained.

    python -m benchmarks.fluent ../shared/data/personas/*.jsonl.gz --out fluent.jsonl --json

For each persona, in bits per character on the newest 10 % (at most `--most` of them): "smollm2", the pretrained model
as its publisher made it; "adapted", the fluent base (`--base`); "instant", the same with the newest of the older posts
in its context, as an instant bot has them; "trained", the base after a fine-tune with its defaults on the oldest 80 %.
With `--out`, an interrupted run continues. `--set NAME=VALUE` tries another value of the fine-tune's recipe.
"""

from __future__ import annotations

import argparse
import math
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from models_app.ml.checkpoint import Checkpoint, load
from models_app.ml.evaluation.evaluation import evaluate
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.llama.store import LIBRARY
from models_app.ml.networks.llama.weights import first_adapter
from models_app.ml.sampling.context import fitting
from models_app.ml.training.adapters.config import AdapterConfig
from models_app.ml.training.adapters.packing import packed_batches
from models_app.ml.training.adapters.prebuilt import learner_for
from models_app.ml.training.adapters.trainer import fine_tune

from . import common
from .common import say
from .personas import Persona, characters_and_marks, read_persona
from .results import Outcome, Results

NAMES: Final = ("smollm2", "adapted", "instant", "trained")


class Measuring:
    """Measures the contenders on one persona's newest posts."""

    def __init__(self, base: Checkpoint, persona: Persona, *, most: int, settings: dict[str, Any]) -> None:
        assert isinstance(base.network, LlamaConfig)
        self._base, self._network, self._persona, self._settings = base, base.network, persona, settings
        self._test = persona.test[-most:]
        self._vocabulary = LIBRARY.get(base.network.pretrained).vocabulary

    def measured(self, name: str) -> Outcome:
        """Return the outcome of a contender of NAMES."""
        ways: dict[str, Callable[[], Outcome]] = {
            "smollm2": lambda: self._untrained(first_adapter(self._network, 0)),
            "adapted": lambda: self._untrained(self._base.weights),
            "instant": self._instant,
            "trained": self._trained,
        }
        return ways[name]()

    def _bits(self, weights: Any, posts: Sequence[str]) -> float:
        learner = learner_for(self._network, beta_2=AdapterConfig().beta_2, clip_norm=AdapterConfig().clip_norm)
        learner.set_weights(weights)
        encoded = [self._vocabulary.encode(post) for post in posts]
        total, _ = learner.validate(packed_batches(encoded, rows=2, length=256, end=self._network.end))
        return total / math.log(2) / characters_and_marks(posts)

    def _untrained(self, weights: Any) -> Outcome:
        return Outcome(self._bits(weights, self._test), math.nan, 0.0, 0)

    def _instant(self) -> Outcome:
        older = [*self._persona.train, *self._persona.validation]
        context = fitting(reversed(older))
        begun = time.perf_counter()
        bits = evaluate(self._base, self._test, context=context).bits_per_character
        return Outcome(bits, math.nan, time.perf_counter() - begun, 0, {"context_posts": len(context)})

    def _trained(self) -> Outcome:
        characters = sum(map(len, self._persona.train))
        config = AdapterConfig.auto(characters=characters, **self._settings)
        begun, cpu = time.perf_counter(), time.process_time()
        with tempfile.TemporaryDirectory() as work:
            result = fine_tune(
                start=self._base,
                train=self._persona.train,
                validation=self._persona.validation,
                config=config,
                work_dir=Path(work),
                on_progress=lambda _: None,
                on_epoch=lambda point: say(f"  point {point.epoch}: {point.bits_per_character:.3f}"),
                control=lambda: "go",
                sample_count=0,
            )
        more = {
            "cpu_seconds": time.process_time() - cpu,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "config": config.as_dict(),
        }
        seconds = time.perf_counter() - begun
        bits = self._bits(result.weights, self._test)
        return Outcome(bits, result.bits_per_character, seconds, config.epochs, more)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    facts = common.machine()
    LIBRARY.keep_in(options.pretrained)
    base, results = load(options.base), Results(options.out)
    rows: list[dict[str, Any]] = []
    for path in options.personas:
        persona = read_persona(path, newest=options.newest)
        measuring = Measuring(base, persona, most=options.most, settings=dict(options.set))
        row: dict[str, Any] = {"persona": persona.name, "posts": persona.posts, "characters": persona.characters}
        for name in options.contenders:
            key = {
                "persona": persona.fingerprint(),
                "most": options.most,
                "contender": name,
                "base": base.sha256 if name != "smollm2" else "",
                "settings": dict(options.set) if name == "trained" else {},
            }
            outcome = results.get(key)
            if outcome is None:
                outcome = measuring.measured(name)
                results.put(key, outcome)
            say(f"{persona.name}: {name} {outcome.bits:.3f} ({outcome.seconds:.0f} s)")
            row[name] = {"bits": outcome.bits, "seconds": outcome.seconds, **outcome.more}
        rows.append(row)
    means = {name: statistics.fmean(row[name]["bits"] for row in rows) for name in options.contenders}
    result = {"benchmark": "fluent", "machine": facts, "base": base.sha256, "personas": rows, "means": means}
    body: list[list[object]] = [
        [row["persona"], f"{row['posts']:,}", f"{row['characters']:,}", *(f"{row[name]['bits']:.3f}" for name in means)]
        for row in rows
    ]
    body.append(["mean", "", "", *(f"{bits:.3f}" for bits in means.values())])
    print("Bits per character on the newest 10 %:\n")
    common.table(["persona", "posts", "characters", *means], body)
    if options.json:
        common.json_line(result)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("personas", nargs="+", type=Path, metavar="FILE", help="posts of a person, newest first")
    parser.add_argument("--base", type=Path, default=common.ROOT / "checkpoints" / "fluent", metavar="DIR")
    parser.add_argument("--pretrained", type=Path, default=common.ROOT / "checkpoints" / "pretrained", metavar="DIR")
    parser.add_argument("--contenders", nargs="+", choices=NAMES, default=list(NAMES), metavar="NAME")
    parser.add_argument("--newest", type=int, default=3200, help="posts to read of each file (default: %(default)s)")
    parser.add_argument("--most", type=int, default=320, help="posts to measure on (default: %(default)s)")
    parser.add_argument("--set", action="append", default=[], type=common.setting, metavar="NAME=NUMBER")
    parser.add_argument("--out", type=Path, help="keep outcomes in this file, and take those that it has")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
