"""What a bot's posts are like at each temperature, beside real posts of the person.

    python -m benchmarks.temperatures ../shared/data/personas/*.jsonl.gz --out temperatures.jsonl --json

Our default learns each persona from the older 80 % of its posts. Then the bot writes, at each temperature and top-p, as
many posts as there are in the newest 20 %, which it hasn't learned (at most 400), and both are measured:

- ended: drawn posts that reached their end mark within 280 characters;
- novelty: posts that aren't copies of a learned post, with the copy guard off;
- voice: posts that a style detector takes for the person's, after learning real posts of the person and of others;
- real words: words that the person used, or that occur twice or more in real posts of others;
- variety: different pairs of neighbouring words, of all ("distinct-2", Li et al. 2016, arXiv:1510.03055), on as many
  words of each;
- told apart: posts that a classifier correctly calls real or written. It learns half of both and is measured on the
  other half, and the other way round. At 50 % it only guesses.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice, pairwise
from typing import Any, Final

import numpy as np

from models_app.ml.checkpoint import Checkpoint, load
from models_app.ml.config import SamplingConfig
from models_app.ml.evaluation.authorship import VoiceClassifier
from models_app.ml.evaluation.told_apart import told_apart
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.words import words

from . import common
from .common import say
from .contenders import Ours, measured
from .fine_tune import large_enough, learned, persona_parser
from .personas import Persona, some_posts
from .results import Outcome, Results

SIDE_BY_SIDE: Final = 100  # posts of a request
MAX: Final = 400  # written posts, and held-out posts to compare them with
OTHERS: Final = 20_000  # real posts of others, for the list of words
CLASSIFIED: Final = 1_000  # posts of each side that the style detector learns
REAL: Final = "real posts"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to draw symbols."""

    temperature: float
    top_p: float

    @property
    def name(self) -> str:
        return f"{self.temperature:g}" + (f", top-p {self.top_p:g}" if self.top_p < 1 else "")


@dataclass(frozen=True, slots=True)
class Look:
    """What posts are like: shares of 1, and characters per post. `told_apart` is None for the real ones."""

    ended: float
    novelty: float
    voice: float
    real_words: float
    variety: float
    told_apart: float | None
    length: float


class AtTemperatures:
    """Our default, with the `Look` of its posts by way of drawing, and of real posts (in the outcome's `more`)."""

    def __init__(self, base: Checkpoint, ways: Sequence[Way], others: Sequence[str], epochs: int = 0) -> None:
        self._base, self._ours, self._ways, self._others = base, Ours(base, epochs), ways, others
        counts = Counter(word for post in others for word in words(post))
        self._known = frozenset(word for word, count in counts.items() if count >= 2)

    def depends_on(self, persona: Persona, seed: int) -> dict[str, Any]:
        ways = [asdict(way) for way in self._ways]
        return self._ours.depends_on(persona, seed) | {"ways": ways, "most": MAX, "others": len(self._others)}

    def run(self, persona: Persona, seed: int) -> Outcome:
        begun = time.perf_counter()
        result = self._ours.learned(persona, seed)
        seconds = time.perf_counter() - begun
        bot = result.checkpoint
        held_out = _shuffled([*persona.validation, *persona.test])[:MAX]
        posts: dict[str, tuple[list[str], float]] = {REAL: (held_out, 1.0)}
        sampler = Sampler(bot)
        for way in self._ways:
            posts[way.name] = written(sampler, way, len(held_out))
            say(f"  {way.name}: {len(posts[way.name][0])} posts")
        return Outcome(
            measured(bot, persona.test),
            result.bits_per_character,
            seconds,
            len(result.history),
            {"looks": {name: asdict(look) for name, look in self._looks(persona, held_out, posts).items()}},
        )

    def _looks(
        self, persona: Persona, held_out: Sequence[str], posts: Mapping[str, tuple[Sequence[str], float]]
    ) -> dict[str, Look]:
        guard = CopyGuard.of(persona.train)
        own = _shuffled(persona.train)[:CLASSIFIED]
        voice = VoiceClassifier.of(own, self._others[: len(own)])
        known = self._known.union(*map(words, persona.train))
        least = min(sum(len(words(post)) for post in each) for each, _ in posts.values())
        return {
            name: Look(
                ended=ended,
                novelty=_share(not guard.is_copy(post) for post in each),
                voice=_share(voice.recognised(each).tolist()),
                real_words=_share(word in known for post in each for word in words(post)),
                variety=variety(each, least),
                told_apart=None if name == REAL else _apart(held_out, each),
                length=statistics.fmean(map(len, each)) if each else 0.0,
            )
            for name, (each, ended) in posts.items()
        }


def _apart(real: Sequence[str], made: Sequence[str]) -> float | None:
    found = told_apart(real, made, seed=0, folds=2)
    return None if found is None else found.share


def _share(held: Iterable[bool]) -> float:
    found = list(held)
    return statistics.fmean(found) if found else 0.0


def written(sampler: Sampler, way: Way, count: int) -> tuple[list[str], float]:
    """Return that many posts, each of one draft, and the share of drawn posts that ended."""
    posts: list[str] = []
    unfinished = 0
    for seed, begin in enumerate(range(0, count, SIDE_BY_SIDE)):
        config = SamplingConfig(
            count=min(SIDE_BY_SIDE, count - begin),
            temperature=way.temperature,
            top_p=way.top_p,
            seed=seed,
            copy_guard=False,
            mask_mentions=False,
            best_of=1,
        )
        writing = sampler.generate(config)
        posts += writing.posts
        unfinished += writing.refused.unfinished
    drawn = len(posts) + unfinished
    return posts, len(posts) / drawn if drawn else 0.0


def variety(posts: Sequence[str], least: int) -> float:
    """Return the share of different pairs among the pairs of neighbours in the first `least` words."""
    pairs = list(pairwise(islice(chain.from_iterable(words(post) for post in posts), least)))
    return len(set(pairs)) / len(pairs) if pairs else 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    facts = common.machine()
    ways = [Way(temperature, top_p) for top_p in options.top_p for temperature in options.temperatures]
    others = _shuffled(some_posts(options.others))
    contender = {"bot": AtTemperatures(load(options.base), ways, others, options.epochs)}
    results, looks = Results(options.out), dict[str, dict[str, Look]]()
    for persona in large_enough(options):
        (outcome,) = learned(persona, contender, results, repeat=1).outcomes["bot"]
        looks[persona.name] = {name: Look(**look) for name, look in outcome.more["looks"].items()}
    if not looks:
        raise SystemExit(f"No persona has {options.least} posts that cleaning keeps; --least lowers that.")
    means = {name: mean([each[name] for each in looks.values()]) for name in (REAL, *(way.name for way in ways))}
    print(f"{len(looks)} personas, means\n")
    head = ["temperature", "ended", "new", "voice", "real words", "variety", "told apart", "characters"]
    common.table(head, [[name, *_cells(look)] for name, look in means.items()])
    if options.json:
        personas = {name: {way: asdict(look) for way, look in each.items()} for name, each in looks.items()}
        common.json_line(
            {
                "means": {name: asdict(look) for name, look in means.items()},
                "personas": personas,
                "machine": facts,
            }
        )


def mean(looks: Sequence[Look]) -> Look:
    """Return the mean of each figure."""
    apart = [look.told_apart for look in looks if look.told_apart is not None]
    figures = {name: statistics.fmean(getattr(look, name) for look in looks) for name in _FIGURES}
    return Look(**figures, told_apart=statistics.fmean(apart) if apart else None)


_FIGURES: Final = ("ended", "novelty", "voice", "real_words", "variety", "length")


def _cells(look: Look) -> list[str]:
    shares = (look.ended, look.novelty, look.voice, look.real_words, look.variety, look.told_apart)
    return [*("" if share is None else f"{share:.1%}" for share in shares), f"{look.length:.0f}"]


def _shuffled(posts: Sequence[str]) -> list[str]:
    return [posts[place] for place in np.random.default_rng(0).permutation(len(posts))]


def _numbers(text: str) -> list[float]:
    return [float(part) for part in common.names_in(text)]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = persona_parser(__doc__ or "")
    parser.add_argument("--temperatures", type=_numbers, default=[0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    parser.add_argument("--top-p", type=_numbers, default=[1.0], help="each is tried with each temperature")
    parser.add_argument("--others", type=int, default=OTHERS, help="real posts of others")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
