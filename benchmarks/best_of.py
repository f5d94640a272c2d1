"""Does choosing the best of several drafts make a bot's posts harder to tell from the person's?

    python -m benchmarks.best_of ../shared/data/personas/*.jsonl.gz --out best_of.jsonl --json

Our default learns each persona from the older 80 % of its posts. Then the bot writes as many posts as there are in the
newest 20 %, which it hasn't learned (at most 400), in requests of ten. It keeps the best of 1, 2, 3 and 5 times as many
drafts, once by likeness (evaluation/likeness.py) and once as bots of early versions do, by likelihood alone:

- told apart: posts that a classifier correctly calls real or written (evaluation/told_apart.py); at 50 % it guesses;
- its standard error for one persona;
- characters per post: of the real ones in the first row.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from models_app.ml.checkpoint import Checkpoint, load
from models_app.ml.config import SamplingConfig
from models_app.ml.evaluation.likeness import PersonLikeness
from models_app.ml.evaluation.told_apart import told_apart
from models_app.ml.sampling.choice import Draft, Likeness, best
from models_app.ml.sampling.sampler import Sampler

from . import common
from .common import say
from .contenders import Ours, measured
from .fine_tune import large_enough, learned, persona_parser
from .personas import Persona
from .results import Outcome, Results

REQUEST: Final = 10  # posts that a person asks for
BATCH: Final = 100  # drafts side by side
MAX: Final = 400
REAL: Final = "real posts"


@dataclass(frozen=True, slots=True)
class Figures:
    """told_apart: a share of 1, with its standard error, None for real posts; length: characters per post."""

    told_apart: float | None
    error: float | None
    length: float


class BestOf:
    """Our default, with the `Figures` of its posts by the number of drafts (in the outcome's `more`)."""

    def __init__(self, base: Checkpoint, numbers: Sequence[int], epochs: int = 0) -> None:
        self._base, self._ours, self._numbers = base, Ours(base, epochs), numbers

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        return self._ours.depends_on(persona, seed) | {"numbers": list(self._numbers), "most": MAX}

    def run(self, persona: Persona, seed: int) -> Outcome:
        begun = time.perf_counter()
        result = self._ours.learned(persona, seed)
        seconds = time.perf_counter() - begun
        bot = result.checkpoint
        figures = figures_of(Sampler(bot), persona, result.bits_per_character, self._numbers)
        return Outcome(
            measured(bot, persona.test),
            result.bits_per_character,
            seconds,
            len(result.history),
            {"figures": {name: asdict(found) for name, found in figures.items()}},
        )


def figures_of(sampler: Sampler, persona: Persona, bits: float, numbers: Sequence[int]) -> dict[str, Figures]:
    """Return the figures of a bot's posts, which needs `bits` per character on held-out posts."""
    real = [*persona.validation, *persona.test]
    real = [real[place] for place in np.random.default_rng(0).permutation(len(real))[:MAX]]
    likeness = PersonLikeness.of(sampler, persona.train, bits)
    drafts = drawn(sampler, len(real) * max(numbers))
    found = {REAL: Figures(None, None, statistics.fmean(map(len, real)))}
    for number in numbers:
        ways = {f"{number}": likeness} if number == 1 else {f"{number}": likeness, f"{number}, by likelihood": None}
        for name, way in ways.items():
            posts = chosen(drafts, len(real), number, way)
            told = told_apart(real, posts, seed=0)
            share, error = (None, None) if told is None else (told.share, told.error)
            found[name] = Figures(share, error, statistics.fmean(map(len, posts)))
            say(f"  best of {name}: {len(posts)} posts")
    return found


def drawn(sampler: Sampler, count: int) -> list[Draft]:
    """Return about `count` drafts. A few are missing where a bot doesn't end its posts."""
    drafts: list[Draft] = []
    for seed in range(-(-count // BATCH)):
        writing = sampler.generate(SamplingConfig(count=BATCH, seed=seed, copy_guard=False), measure=True)
        drafts += map(Draft, writing.posts, writing.nats)
    return drafts[:count]


def chosen(drafts: Sequence[Draft], count: int, number: int, likeness: Likeness | None) -> list[str]:
    """Return up to `count` posts, chosen in requests of REQUEST posts from `number` times as many drafts."""
    if number == 1:
        return [draft.post for draft in drafts[:count]]
    size = REQUEST * number
    parts = [drafts[begin : begin + size] for begin in range(0, count * number, size)]
    return [draft.post for part in parts for draft, _ in best(part, len(part) // number, likeness)]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    facts = common.machine()
    contender = {"bot": BestOf(load(options.base), options.numbers, options.epochs)}
    results, found = Results(options.out), dict[str, dict[str, Figures]]()
    for persona in large_enough(options):
        (outcome,) = learned(persona, contender, results, repeat=1).outcomes["bot"]
        found[persona.name] = {name: Figures(**each) for name, each in outcome.more["figures"].items()}
    if not found:
        raise SystemExit(f"No persona has {options.least} posts that cleaning keeps; --least lowers that.")
    names = list(next(iter(found.values())))
    means = {name: mean([figures[name] for figures in found.values()]) for name in names}
    print(f"{len(found)} personas, means\n")
    common.table(["best of", "told apart", "± one persona", "characters"], [_row(name, means[name]) for name in names])
    if options.json:
        personas = {who: {name: asdict(each) for name, each in figures.items()} for who, figures in found.items()}
        common.json_line(
            {"means": {name: asdict(each) for name, each in means.items()}, "personas": personas, "machine": facts}
        )


def mean(figures: Sequence[Figures]) -> Figures:
    """Return the mean of each figure over personas."""
    shares = [each.told_apart for each in figures if each.told_apart is not None]
    errors = [each.error for each in figures if each.error is not None]
    length = statistics.fmean(each.length for each in figures)
    share, error = (statistics.fmean(each) if each else None for each in (shares, errors))
    return Figures(share, error, length)


def _row(name: str, figures: Figures) -> list[str]:
    shares = ("" if share is None else f"{share:.1%}" for share in (figures.told_apart, figures.error))
    return [name, *shares, f"{figures.length:.0f}"]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = persona_parser(__doc__ or "")
    parser.add_argument("--numbers", type=common.whole_numbers_in, default=[1, 2, 3, 5], help="drafts for each post")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
