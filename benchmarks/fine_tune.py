"""How well and how fast a persona is learned by a quick bot and by the tutorial's recipe.

    python -m benchmarks.fine_tune ../shared/data/personas/*.jsonl.gz --out outcomes.jsonl --json

Contenders: "base", the base model alone; "default", our fine-tune; "tutorial", the tutorial's recipe from the same
base weights; "nothing", our network without a base. `--stock-keras` adds "stock_keras", the tutorial's recipe as in the
tutorial, for the time it takes. contenders.py says how each learns and is measured.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models_app.ml.checkpoint import Checkpoint, load
from models_app.ml.config import NETWORKS
from models_app.ml.networks.registry import kind_of

from . import common
from .common import say
from .contenders import TUTORIAL_EPOCHS, Contender, contenders
from .personas import Persona, read_persona
from .results import Outcome, Results

NAMES: Final = ("base", "default", "tutorial", "nothing")
STOCK: Final = "stock_keras"  # only on request
OURS: Final = "default"
RATIO: Final = "ratio_stock_keras"
ONCE: Final = ("base",)  # the same each time


@dataclass(frozen=True, slots=True)
class Row:
    """A persona with the outcome of each contender."""

    persona: Persona
    outcomes: dict[str, list[Outcome]]

    def mean(self, name: str, what: str) -> float:
        return statistics.fmean(getattr(outcome, what) for outcome in self.outcomes[name])

    def as_dict(self) -> dict[str, Any]:
        persona = self.persona
        found: dict[str, Any] = {
            "persona": persona.name,
            "found": persona.found,
            "posts": persona.posts,
            "characters": persona.characters,
        }
        for name, outcomes in self.outcomes.items():
            found[name] = {what: self.mean(name, what) for what in ("bits", "validation_bits", "seconds", "epochs")}
            found[name] |= {"runs": len(outcomes), "all_bits": [outcome.bits for outcome in outcomes]}
        if OURS in self.outcomes:
            found[OURS]["best_epochs"] = [outcome.more["best_epoch"] for outcome in self.outcomes[OURS]]
        if self.is_timed:
            found[RATIO] = statistics.median(self.stock_ratios())
        return found

    @property
    def is_timed(self) -> bool:
        """Whether ours is compared with stock Keras."""
        return {OURS, STOCK} <= set(self.outcomes)

    def stock_ratios(self) -> list[float]:
        """Return how many times as long stock Keras took as ours, for each run."""
        pairs = zip(self.outcomes[STOCK], self.outcomes[OURS], strict=True)
        return [stock.seconds / ours.seconds for stock, ours in pairs]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    facts = common.machine()
    base = load(options.base)
    known = contenders(base, _lstm(base, options.lstm), epochs=options.epochs, tutorial_epochs=options.tutorial_epochs)
    chosen = {name: known[name] for name in options.contenders}
    results = Results(options.out)
    rows = [learned(persona, chosen, results, options.repeat) for persona in large_enough(options)]
    if not rows:
        raise SystemExit(f"No persona has {options.least} posts that cleaning keeps; --least lowers that.")
    result = {"personas": [row.as_dict() for row in rows]} | summary(rows, options.contenders)
    _show(rows, result, options.contenders)
    if options.json:
        settings = {name: getattr(options, name) for name in ("newest", "repeat", "epochs", "tutorial_epochs")}
        network = {"sha256": base.sha256, "network": base.network.as_dict()}
        common.json_line(result | {"settings": settings, "base": network, "machine": facts})


def large_enough(options: argparse.Namespace) -> Iterator[Persona]:
    """Yield the personas. Those with too few posts are skipped with a message."""
    for path in options.personas:
        try:
            persona = read_persona(path, newest=options.newest)
        except ValueError as error:
            say(f"{path} is left out: {error}")
            continue
        if persona.posts < options.least:
            say(f"{path} is left out: of its posts {persona.posts} are kept, fewer than {options.least}.")
            continue
        yield persona


def learned(persona: Persona, chosen: Mapping[str, Contender], results: Results, repeat: int) -> Row:
    """Return the row of a persona. Each contender runs once, unless the results already have its outcome."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in chosen}
    posts = persona.fingerprint()
    for seed in range(repeat):
        for name, contender in chosen.items():
            if seed and name in ONCE:
                continue
            key = {
                "persona": persona.name,
                "found": persona.found,
                "posts": posts,
                "contender": name,
                "run": seed,
                "depends_on": contender.depends_on(persona, seed),
            }
            outcome = results.get(key)
            if outcome is None:
                say(f"{persona.name}, {persona.found} posts, {name}, run {seed + 1} of {repeat}")
                outcome = contender.run(persona, seed)
                results.put(key, outcome)
                say(f"  {outcome.bits:.3f} bits in {outcome.seconds:.1f} s")
            outcomes[name].append(outcome)
    return Row(persona, outcomes)


def summary(rows: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    """Return means over the personas, and for ours the difference in percent from each contender's bits.

    Below zero is better. not_worse: the number of personas on which ours is at or below the contender.
    """
    found: dict[str, Any] = {
        "means": {
            name: {
                what: statistics.fmean(row.mean(name, what) for row in rows)
                for what in ("bits", "validation_bits", "seconds", "epochs")
            }
            for name in names
        }
    }
    if OURS in names:
        shares = {name: [row.mean(OURS, "bits") / row.mean(name, "bits") for row in rows] for name in names}
        found["default_against"] = {name: 100 * (statistics.fmean(each) - 1) for name, each in shares.items()}
        found["default_not_worse"] = {name: sum(share <= 1 for share in each) for name, each in shares.items()}
    if rows[0].is_timed:
        found[RATIO] = common.spread([ratio for row in rows for ratio in row.stock_ratios()])
    return found


def _lstm(base: Checkpoint, folder: Path | None) -> Checkpoint:
    """Return the start of stock Keras: the model in the folder, else the base if it is an LSTM, else new weights."""
    if folder is not None:
        return load(folder)
    if base.network.kind == "lstm":
        return base
    network = NETWORKS["lstm"]
    return Checkpoint(network, kind_of(network).first_weights(network, 0), {}, "")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__ or "")
    parser.add_argument("personas", nargs="+", type=Path, metavar="PERSONA_FILE", help="posts, the newest first")
    parser.add_argument("--newest", type=int, default=3200, help="posts taken of a persona, before cleaning")
    parser.add_argument("--least", type=int, default=100, help="personas with fewer kept posts are left out")
    parser.add_argument("--epochs", type=int, default=0, help="epochs of ours; 0: depends on the size of the corpus")
    parser.add_argument("--base", type=Path, default=common.BASE, metavar="DIR")
    parser.add_argument("--out", type=Path, metavar="FILE.jsonl", help="outcomes, to go on from after an interruption")
    parser.add_argument("--contenders", type=common.names_in, default=list(NAMES), help=f"some of {','.join(NAMES)}")
    parser.add_argument("--stock-keras", action="store_true", help="the tutorial's recipe in stock Keras as well")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each, with other seeds")
    parser.add_argument("--tutorial-epochs", type=int, default=TUTORIAL_EPOCHS)
    parser.add_argument("--lstm", type=Path, metavar="DIR", help="an LSTM that stock Keras starts from")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.contenders) - set(NAMES)):
        parser.error(f"There is no contender {unknown[0]!r}; there are: {', '.join(NAMES)}.")
    if options.stock_keras:
        options.contenders.append(STOCK)
    return options


def _show(rows: Sequence[Row], result: dict[str, Any], names: Sequence[str]) -> None:
    print("Bits per character on the newest 10 %:\n")
    body: list[list[object]] = []
    for row in result["personas"]:
        best = min(row[name]["bits"] for name in names)
        cells = [f"{row[name]['bits']:.3f}" for name in names]
        marked = [f"**{cell}**" if row[name]["bits"] == best else cell for name, cell in zip(names, cells, strict=True)]
        body.append([row["persona"], f"{row['posts']:,}", f"{row['characters']:,}", *marked])
    means = result["means"]
    body.append(["mean", "", "", *(f"{means[name]['bits']:.3f}" for name in names)])
    common.table(["persona", "posts", "characters", *names], body)
    ours = OURS in names
    print("\nMeans, and the difference of ours:\n")
    common.table(
        ["contender", "bits", "validation", "seconds", "epochs", *(["ours against it", "ours is not worse on"] * ours)],
        [
            [
                name,
                f"{means[name]['bits']:.3f}",
                f"{means[name]['validation_bits']:.3f}",
                f"{means[name]['seconds']:.1f}",
                f"{means[name]['epochs']:.1f}",
                *([f"{result['default_against'][name]:+.1f} %"] if ours else []),
                *([f"{result['default_not_worse'][name]} of {len(rows)}"] if ours else []),
            ]
            for name in names
        ],
    )
    if rows[0].is_timed:
        print(f"\nStock Keras takes {result[RATIO].text(1)} times as long as ours.")


if __name__ == "__main__":
    main()
