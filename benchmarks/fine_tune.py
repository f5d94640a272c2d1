"""How well and how fast a persona is learned: ours against the tutorial's recipe and two classical rivals.

    python -m benchmarks.fine_tune ../shared/data/personas/*.jsonl.gz --out outcomes.jsonl --json

Contenders: "base", the base model alone; "default", our fine-tune with its defaults; "better", the far end of its
slider; "tutorial", the tutorial's recipe from the same base weights; "nothing", our network without a base;
"kneser_ney" and "ppmd", which also read the first megabytes of the base corpus. `--stock-keras` adds "stock_keras", the
tutorial's recipe as in the tutorial, for the time it takes. `--waited` adds "waited", the default with graphs built in
advance, as in the product. `--set`, `--trial-epochs` and `--mixed` add "trial", our fine-tune with other settings or
with posts of the base corpus mixed in. contenders.py says how each learns and is measured.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models_app.ml.checkpoint import Checkpoint, load
from models_app.ml.config import MAX_EPOCHS, NETWORKS, FineTuneConfig
from models_app.ml.networks.registry import kind_of

from . import common, ppmd
from .common import say
from .contenders import TUTORIAL_EPOCHS, Contender, contenders
from .personas import Persona, read_persona, together
from .results import Outcome, Results

NAMES: Final = ("base", "default", "better", "tutorial", "nothing", "kneser_ney", "ppmd")
MORE: Final = ("stock_keras", "waited", "trial")  # only on request
OURS: Final = ("default", "better")
#: Our contenders that are compared with stock Keras -> the name of the ratio: how many times as long Keras takes.
RATIO: Final = {"default": "ratio_stock_keras", "waited": "ratio_stock_keras_waited"}
MAX_MIXED: Final = 10
ONCE: Final = ("base", "kneser_ney", "ppmd")  # the same each time


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
        for name in set(self.outcomes) & {*OURS, "waited", "trial"}:
            found[name]["best_epochs"] = [outcome.more["best_epoch"] for outcome in self.outcomes[name]]
        for name in self.timed():
            found[RATIO[name]] = statistics.median(self.stock_ratios(name))
        if "default" in self.timed():
            found["beats_stock_keras"] = self.mean("default", "validation_bits") < min(
                outcome.validation_bits for outcome in self.outcomes["stock_keras"]
            )
        return found

    def timed(self) -> list[str]:
        """Return which of ours are compared with stock Keras."""
        return [name for name in RATIO if {name, "stock_keras"} <= set(self.outcomes)]

    def stock_ratios(self, name: str) -> list[float]:
        """Return how many times as long stock Keras took as ours, for each run."""
        pairs = zip(self.outcomes["stock_keras"], self.outcomes[name], strict=True)
        return [stock.seconds / ours.seconds for stock, ours in pairs]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    facts = common.machine()
    base = load(options.base)
    known = contenders(
        base,
        _lstm(base, options.lstm),
        base_megabytes=options.base_mb,
        epochs=options.epochs,
        better_epochs=options.better_epochs,
        tutorial_epochs=options.tutorial_epochs,
        trial_epochs=options.trial_epochs,
        trial_settings=dict(options.set),
        mixed=options.mixed,
    )
    chosen = {name: known[name] for name in options.contenders}
    results = Results(options.out)
    personas: Iterable[Persona] = large_enough(options)
    if options.together:
        personas = [together(several)] if (several := list(personas)) else []
    rows = [learned(persona, chosen, results, options.repeat) for persona in personas]
    if not rows:
        raise SystemExit(f"No persona has {options.least} posts that cleaning keeps; --least lowers that.")
    result = {"personas": [row.as_dict() for row in rows]} | summary(rows, options.contenders)
    _show(rows, result, options.contenders)
    if options.json:
        settings = {
            name: getattr(options, name)
            for name in ("newest", "kept", "base_mb", "repeat", "epochs", "better_epochs", "tutorial_epochs")
        }
        if "trial" in options.contenders:
            settings["trial"] = dict(options.set) | {"epochs": options.trial_epochs, "mixed": options.mixed}
        network = {"sha256": base.sha256, "network": base.network.as_dict()}
        common.json_line(result | {"settings": settings, "base": network, "machine": facts})


def large_enough(options: argparse.Namespace) -> Iterator[Persona]:
    """Yield the personas in the requested sizes. Those with too few posts are skipped with a message."""
    for path in options.personas:
        for kept in options.kept:
            try:
                persona = read_persona(path, newest=options.newest, kept=kept)
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
    for ours in set(names) & set(OURS):
        shares = {name: [row.mean(ours, "bits") / row.mean(name, "bits") for row in rows] for name in names}
        found[f"{ours}_against"] = {name: 100 * (statistics.fmean(each) - 1) for name, each in shares.items()}
        found[f"{ours}_not_worse"] = {name: sum(share <= 1 for share in each) for name, each in shares.items()}
    for name in rows[0].timed():
        found[RATIO[name]] = common.spread([ratio for row in rows for ratio in row.stock_ratios(name)])
    return found


def _lstm(base: Checkpoint, folder: Path | None) -> Checkpoint:
    """Return the start of stock Keras: the model in the folder, else the base if it is an LSTM, else new weights."""
    if folder is not None:
        return load(folder)
    if base.network.kind == "lstm":
        return base
    network = NETWORKS["lstm"]
    return Checkpoint(network, kind_of(network).first_weights(network, 0), {}, "")


def persona_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with options for the personas and the base model of our default, and --json."""
    parser = common.parser(description)
    parser.add_argument("personas", nargs="+", type=Path, metavar="PERSONA_FILE", help="posts, the newest first")
    parser.add_argument("--newest", type=int, default=3200, help="posts taken of a persona, before cleaning")
    parser.add_argument("--least", type=int, default=100, help="personas with fewer kept posts are left out")
    parser.add_argument(
        "--epochs", type=int, default=0, help="epochs of the default; 0: depends on the size of the corpus"
    )
    parser.add_argument("--base", type=Path, default=common.BASE, metavar="DIR")
    parser.add_argument("--out", type=Path, metavar="FILE.jsonl", help="outcomes, to go on from after an interruption")
    parser.set_defaults(kept=[0])
    return parser


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = persona_parser(__doc__ or "")
    parser.add_argument("--contenders", type=common.names_in, default=list(NAMES), help=f"some of {','.join(NAMES)}")
    parser.add_argument("--stock-keras", action="store_true", help="the tutorial's recipe in stock Keras as well")
    parser.add_argument("--waited", action="store_true", help="our default with graphs built before as well")
    parser.add_argument("--together", action="store_true", help="all personas as one")
    parser.add_argument("--kept", type=common.whole_numbers_in, default=[0], help="kept posts; 0: all; or a list")
    parser.add_argument(
        "--base-mb", type=float, default=60, help="megabytes of the base corpus that the classical rivals read"
    )
    parser.add_argument("--repeat", type=int, default=1, help="runs of each, with other seeds")
    parser.add_argument("--better-epochs", type=int, default=MAX_EPOCHS)
    parser.add_argument("--tutorial-epochs", type=int, default=TUTORIAL_EPOCHS)
    parser.add_argument(
        "--trial-epochs", type=int, default=0, help="epochs of the trial; 0: depends on the size of the corpus"
    )
    parser.add_argument("--mixed", type=float, default=0.0, metavar="SHARE", help="of base posts, in the trial")
    parser.add_argument(
        "--set",
        type=common.setting,
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="another value of the recipe, in the trial",
    )
    parser.add_argument("--lstm", type=Path, metavar="DIR", help="an LSTM that stock Keras starts from")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.contenders) - {*NAMES, *MORE}):
        parser.error(f"There is no contender {unknown[0]!r}; there are: {', '.join((*NAMES, *MORE))}.")
    if options.together and len(options.kept) > 1:
        parser.error("--together takes one number of --kept: with several, posts would be learned and measured.")
    if not 0 <= options.mixed <= MAX_MIXED:
        parser.error(f"--mixed is a share from 0 to {MAX_MIXED} of the persona's characters.")
    try:
        FineTuneConfig.auto(characters=1000, epochs=options.trial_epochs or 1, **dict(options.set))
    except (TypeError, ValueError) as error:
        parser.error(f"--set or --trial-epochs: {error}")
    trial = options.set or options.trial_epochs or options.mixed
    asked = {"stock_keras": options.stock_keras, "waited": options.waited, "trial": trial}
    options.contenders += [name for name in MORE if asked[name] and name not in options.contenders]
    if "ppmd" in options.contenders and not ppmd.installed():
        say("pyppmd is not installed and left out; `uv sync --group benchmarks` installs it.")
        options.contenders.remove("ppmd")
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
    ours = [name for name in OURS if name in names]
    print("\nMeans, and the difference of ours:\n")
    common.table(
        ["contender", "bits", "validation", "seconds", "epochs"]
        + [f"{o} against it" for o in ours]
        + [f"{o} is not worse on" for o in ours],
        [
            [
                name,
                f"{means[name]['bits']:.3f}",
                f"{means[name]['validation_bits']:.3f}",
                f"{means[name]['seconds']:.1f}",
                f"{means[name]['epochs']:.1f}",
                *(f"{result[f'{o}_against'][name]:+.1f} %" for o in ours),
                *(f"{result[f'{o}_not_worse'][name]} of {len(rows)}" for o in ours),
            ]
            for name in names
        ],
    )
    for name in rows[0].timed():
        print(f"\nStock Keras takes {result[RATIO[name]].text(1)} times as long as our {name!r}.")


if __name__ == "__main__":
    main()
