"""Whether proposals get better by what a person decides: replayed decisions of test people whose taste is known.

    python -m benchmarks.decisions ../shared/data/personas/anildash.jsonl.gz --drafts drafts.jsonl

A quick bot learns the persona and writes drafts (`--fluent`: the fluent base does, as it is). A test person decides
about five of them at a time, and one decision in ten is a slip. Without learning, the five are the first ones. With it,
they are the best of 15 by what was learned (evaluation/taste.py). The table shows what share of the next five the
person likes. `--drafts` keeps what was written.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig
from models_app.ml.evaluation.taste import Decision, Post, learned
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.words import words

from . import common
from .bases import FLUENT, loaded
from .common import say
from .contenders import Ours
from .personas import read_persona

AFTER: Final = (0, 10, 20, 40, 80)
AT_ONCE, OF = 5, 15
SLIPS: Final = 0.1
#: Groups of 15 drafts to look at after so many decisions, and replays.
GROUPS, REPLAYS = 10, 40

Likes = Callable[[Post], bool]
_COMMON: Final = 0.25


def tastes(drafts: Sequence[Post]) -> dict[str, Likes]:
    """Return what the test people like: the last one goes by nothing that can be seen."""
    middle = sorted(len(draft.text) for draft in drafts)[len(drafts) // 2]
    often = _words_of_some(drafts)
    chance = np.random.default_rng(0).random(len(drafts)) < 0.5
    by_text = {draft.text: bool(each) for draft, each in zip(drafts, chance, strict=True)}
    return {
        "no questions, at most 140 characters": lambda post: "?" not in post.text and len(post.text) <= 140,
        f"over {middle} characters, no “!”": lambda post: len(post.text) > middle and "!" not in post.text,
        f"not about {', '.join(sorted(often))}": lambda post: not often & set(words(post.text)),
        "by chance": lambda post: by_text[post.text],
    }


def _words_of_some(drafts: Sequence[Post]) -> set[str]:
    """Return a few long words that together are in a quarter of the drafts."""
    sets = [set(words(draft.text)) for draft in drafts]
    counts: dict[str, int] = {}
    for each in sets:
        for word in each:
            if len(word) > 3:
                counts[word] = counts.get(word, 0) + 1
    found: set[str] = set()
    for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        found.add(word)
        if sum(bool(found & each) for each in sets) > _COMMON * len(drafts):
            break
    return found


def replayed(drafts: Sequence[Post], likes: Likes, *, learns: bool, seed: int) -> list[tuple[float, bool]]:
    """Return, after AFTER decisions each, what share of proposals the person likes, and whether the order is used."""
    rng = np.random.default_rng(seed)
    left = [drafts[place] for place in rng.permutation(len(drafts)).tolist()]
    decisions: list[Decision] = []
    found: list[tuple[float, bool]] = []
    while True:
        taste = learned(decisions) if learns else None

        def chosen(some: Sequence[Post], taste: Any = taste) -> list[Post]:
            if taste is None:
                return list(some[:AT_ONCE])
            return [some[place] for place in np.argsort(-taste.score(some), kind="stable")[:AT_ONCE].tolist()]

        if len(decisions) in AFTER:
            groups = [[left[place] for place in rng.choice(len(left), OF, replace=False)] for _ in range(GROUPS)]
            share = np.mean([likes(post) for group in groups for post in chosen(group)])
            found.append((float(share), taste is not None))
        if len(decisions) >= AFTER[-1]:
            return found
        some, left = left[:OF], left[OF:]
        for post in chosen(some):
            is_liked = likes(post) ^ bool(rng.random() < SLIPS)
            decisions.append(Decision(post, float(is_liked)))


def written(bot: Checkpoint, count: int) -> list[Post]:
    """Return different drafts by the bot, as it's asked for proposals."""
    sampler, found, seed = Sampler(bot), dict[str, Post](), 1
    while len(found) < count:
        writing = sampler.generate(SamplingConfig(count=100, seed=seed, copy_guard=False, link_guard=True))
        measured = writing.measured or [{}] * len(writing.posts)
        found |= {text: Post(text, each) for text, each in zip(writing.posts, measured, strict=True)}
        seed += 1
        say(f"{len(found)} drafts")
    return list(found.values())


def _drafts(options: Any) -> list[Post]:
    if options.drafts and options.drafts.exists():
        return [Post(**json.loads(line)) for line in options.drafts.read_text().splitlines()]
    if options.fluent:
        bot = loaded(FLUENT)
    else:
        bot = Ours(loaded(common.BASE), 0).learned(read_persona(options.persona, newest=3200), 0).checkpoint
    found = written(bot, options.count)
    if options.drafts:
        lines = [json.dumps({"text": draft.text, "measured": dict(draft.measured)}) for draft in found]
        options.drafts.write_text("".join(f"{line}\n" for line in lines))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("persona", type=Path, help="posts of a person, newest first")
    parser.add_argument("--fluent", action="store_true", help="let the fluent base write instead")
    parser.add_argument("--count", type=int, default=600, help="drafts to write (default: %(default)s)")
    parser.add_argument("--drafts", type=Path, help="keep the drafts in this file, and take those that it has")
    options = parser.parse_args(arguments)
    drafts = _drafts(options)
    rows: list[list[object]] = []
    for name, likes in tastes(drafts).items():
        for learns in (False, True):
            replays = [replayed(drafts, likes, learns=learns, seed=seed) for seed in range(REPLAYS)]
            shares = np.array([[share for share, _ in replay] for replay in replays])
            used = np.array([[is_used for _, is_used in replay] for replay in replays]).mean(axis=0)
            means = zip(shares.mean(axis=0), used, strict=True)
            cells = [f"{share:.0%} ({use:.0%})" if learns else f"{share:.0%}" for share, use in means]
            rows.append([name, "learned (used)" if learns else "plain", *cells])
    common.table(["the person likes", "order", *(f"after {number}" for number in AFTER)], rows)


if __name__ == "__main__":
    main()
