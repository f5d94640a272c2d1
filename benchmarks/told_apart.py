"""Whether a classifier tells fluent and quick bots' posts from the person's, as a report card measures it.

    python -m benchmarks.told_apart ../shared/data/personas/*.jsonl.gz --out told-apart.jsonl --json

As in the product, a tenth of a persona's posts is held out, drawn from all times. Both bots learn the others with their
defaults, a fluent one at most `--characters` of them, the newest. Each writes 100 posts as for a report card. "Told
apart" is how often a classifier rightly calls one of these or of the held-out posts written or real
(evaluation/told_apart.py); guessing gets 50 %. "Floor" is the same with learned posts instead of written ones: nobody
can be expected to get below it. With `--out`, an interrupted run continues.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.evaluation.report_card import POSTS, SEED
from models_app.ml.evaluation.told_apart import ToldApart, told_apart
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.sampling import links
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.training.adapters.config import AdapterConfig, default_epochs_for
from models_app.ml.training.dataset import split

from . import common, fluent
from .bases import PRETRAINED, loaded
from .common import say
from .contenders import Ours
from .personas import Persona, read_persona
from .results import Outcome, Results

BASES: Final = {"fluent": "fluent", "quick": "base"}
FLOOR: Final = "floor"
COLUMNS: Final = (*BASES, FLOOR)


@dataclass(frozen=True, slots=True)
class Shares:
    """What a persona's rows show: how often posts are told apart, None if too few are held out."""

    persona: str
    posts: int
    found: dict[str, ToldApart | None]

    def cells(self) -> list[object]:
        shares = [self.found[name] for name in COLUMNS]
        cells = ["" if each is None else f"{each.share:.1%} ± {each.error:.1%}" for each in shares]
        return [self.persona, f"{self.posts:,}", *cells]


def as_in_product(persona: Persona) -> Persona:
    """Return the persona with a tenth of all posts held out, whatever their age."""
    learned, held_out = split([*persona.train, *persona.validation, *persona.test], seed=0)
    return replace(persona, train=tuple(learned), validation=tuple(held_out), test=tuple(held_out))


def written(bot: Checkpoint, held_out: Sequence[str]) -> list[str]:
    """Return posts as for a report card."""
    config = SamplingConfig(
        count=POSTS, seed=SEED, copy_guard=False, mask_mentions=False, link_guard=links.guard_for(held_out)
    )
    return Sampler(bot).generate(config).posts


def measured(persona: Persona, name: str, base: Checkpoint, characters: int) -> Outcome:
    """Return the outcome of a bot of this tier. Its bits are those of the held-out posts that chose its best point."""
    begun = time.perf_counter()
    if name == "quick":
        result = Ours(base, 0).learned(persona, 0)
    else:
        epochs = default_epochs_for(persona.characters)
        config = AdapterConfig.auto(characters=persona.characters, epochs=epochs, most_characters=characters)
        result = fluent.learned(base, persona, config)
    seconds = time.perf_counter() - begun
    posts = written(result.checkpoint, persona.validation)
    found = told_apart(persona.validation, posts, seed=SEED)
    more = {"written": len(posts), "told_apart": None if found is None else asdict(found)}
    return Outcome(math.nan, result.bits_per_character, seconds, len(result.history), more)


def floor(persona: Persona) -> ToldApart | None:
    """Return how often a classifier tells learned posts from held-out ones."""
    some = np.random.default_rng(SEED).permutation(len(persona.train))[:POSTS].tolist()
    return told_apart(persona.validation, [persona.train[place] for place in some], seed=SEED)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    facts = common.machine()
    bases = {name: loaded(getattr(options, f"{name}_base"), options.pretrained) for name in options.tiers}
    results, rows = Results(options.out), list[Shares]()
    for path in options.personas:
        persona = as_in_product(read_persona(path, newest=options.newest))
        found: dict[str, ToldApart | None] = dict.fromkeys(COLUMNS)
        found[FLOOR] = floor(persona)
        for name, base in bases.items():
            key = {"persona": persona.fingerprint(), "tier": name, "base": base.sha256}
            if isinstance(base.network, LlamaConfig):
                key["characters"] = options.characters
            outcome = results.get(key)
            if outcome is None:
                outcome = measured(persona, name, base, options.characters)
                results.put(key, outcome)
            say(f"{persona.name}: {name} {outcome.more['told_apart']} ({outcome.seconds:.0f} s)")
            if outcome.more["told_apart"] is not None:
                found[name] = ToldApart(**outcome.more["told_apart"])
        rows.append(Shares(persona.name, persona.posts, found))
    means = {name: _mean([row.found[name] for row in rows]) for name in COLUMNS}
    cells = ["" if mean is None else f"{mean:.1%}" for mean in means.values()]
    common.table(["persona", "posts", *COLUMNS], [*(row.cells() for row in rows), ["mean", "", *cells]])
    if options.json:
        sha256 = {name: base.sha256 for name, base in bases.items()}
        personas = [asdict(row) for row in rows]
        common.json_line(
            {"benchmark": "told_apart", "means": means, "personas": personas, "bases": sha256, "machine": facts}
        )


def _mean(found: Sequence[ToldApart | None]) -> float | None:
    shares = [each.share for each in found if each is not None]
    return statistics.fmean(shares) if shares else None


def _options(arguments: Sequence[str] | None) -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("personas", nargs="+", type=Path, metavar="FILE", help="posts of a person, newest first")
    for name, folder in BASES.items():
        parser.add_argument(f"--{name}-base", type=Path, default=common.ROOT / "checkpoints" / folder, metavar="DIR")
    parser.add_argument("--pretrained", type=Path, default=PRETRAINED, metavar="DIR")
    parser.add_argument("--tiers", nargs="+", choices=list(BASES), default=list(BASES), metavar="TIER")
    parser.add_argument("--newest", type=int, default=3200, help="posts to read of each file (default: %(default)s)")
    parser.add_argument(
        "--characters", type=int, default=165_000, help="the most that a fluent bot learns (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, help="keep outcomes in this file, and take those that it has")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
