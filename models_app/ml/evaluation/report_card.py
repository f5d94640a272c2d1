"""The report card of a bot: how well it foresees its person, and what a hundred of its posts are like. NumPy alone.

Bits per character are measured on posts that the bot did not learn from (they chose its best epoch, which flatters it a
little). The other figures are shares of posts that it writes with the copy guard off, by one seed for all bots:

- novelty: posts that are no copies of a learned post, by the rule of `copies`;
- voice: posts that `voice.VoiceClassifier` takes for the person's. It has learned the person's posts against as many of
  the base model, since the posts that the base model has read are not here. Both bot and base model misspell, so that
  is no way to tell them apart;
- real words: words that occur in the learned posts, or twice or more often in the posts of the base model. What is made
  up by chance is seldom made up twice. Real posts have words that are on neither list, too.

A share says little alone, so each stands beside the same share of real posts of the person that were held out and of
posts of the base model that the classifier has not seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, Final

import numpy as np

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import DEFAULT_TEMPERATURE, SamplingConfig
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.words import words

from .authorship import VoiceClassifier
from .evaluation import evaluate

POSTS: Final = 100
SEED: Final = 1
TEMPERATURE: Final = DEFAULT_TEMPERATURE
#: Posts of the person, and as many of the base model, that the classifier learns.
LEARNED_BY_CLASSIFIER = 500
#: At most so many held-out posts are measured: seconds, whatever the corpus.
MAX_MEASURED: Final = 1000
#: A word of the base model's posts is real when they have it so often.
OFTEN: Final = 2


@dataclass(frozen=True, slots=True)
class BaseSamples:
    """Posts of a base model, which knows nobody: `unseen` are measured, `learned` are for the classifier to learn."""

    unseen: tuple[str, ...]
    learned: tuple[str, ...]


def rules_of_base_samples() -> dict[str, Any]:
    """Return all that `base_samples` depends on beside the base model, as plain JSON."""
    return {"posts": POSTS, "learned": LEARNED_BY_CLASSIFIER, "seed": SEED, "temperature": TEMPERATURE}


def base_samples(base: Checkpoint, between: Callable[[], None] = lambda: None) -> BaseSamples:
    """Return what `base` writes for report cards: the same for all that are made with it, so it can be kept.

    `between` is called now and then; what it raises ends the work.
    """
    sampler = Sampler(base)
    seeds = range(SEED, SEED + 1 + -(-LEARNED_BY_CLASSIFIER // POSTS))
    # NumPy's products let other threads run: two of them take about three fifths of the time of one.
    with ThreadPoolExecutor(2) as pool:
        written = [pool.submit(_write, sampler, seed) for seed in seeds]
        try:
            for each in written:
                between()
                each.result()
        finally:
            pool.shutdown(cancel_futures=True)
    unseen, *others = (tuple(each.result()) for each in written)
    return BaseSamples(unseen, tuple(chain.from_iterable(others)))


@dataclass(frozen=True, slots=True)
class Shares:
    """The same share, of 1, for the bot's posts, for held-out posts of the person and for posts of the base model.

    None where there is nothing to take a share of.
    """

    bot: float | None
    held_out: float | None
    base: float | None


@dataclass(frozen=True, slots=True)
class Copied:
    """A post that was written again. post: its index among the learned posts, None where a parent had learned it;
    share: how much of the copy is in it, in order, of 1; run: words in a row."""

    post: int | None
    share: float
    run: int


@dataclass(frozen=True, slots=True)
class ReportCard:
    """Bits per character of the bot, of the model it started from and of the base model, on `measured` held-out posts,
    of which the model it started from had learned `known_to_start`; then the shares of `written` posts of `asked`.

    classifier_posts: how many posts of each side the classifier has learned.
    """

    bits_per_character: float
    start_bits_per_character: float
    base_bits_per_character: float
    measured: int
    known_to_start: int
    asked: int
    written: int
    temperature: float
    seed: int
    classifier_posts: int
    novelty: Shares
    copies: tuple[Copied, ...]
    voice: Shares
    real_words: Shares

    def as_dict(self) -> dict[str, Any]:
        """Return the card as JSON-ready values."""
        return asdict(self) | {"copies": [asdict(copied) for copied in self.copies]}


def report_card(
    *,
    bot: Checkpoint,
    start: Checkpoint,
    base: Checkpoint,
    learned: Sequence[str],
    held_out: Sequence[str],
    start_guard: CopyGuard | None = None,
    trained_bits: tuple[float, float] | None = None,
    others: BaseSamples | None = None,
    between: Callable[[], None] = lambda: None,
) -> ReportCard:
    """Return the card of `bot`, which came of `start` and has learned these posts; the same arguments, the same card.

    `start_guard` knows the posts that `start` and its parents learned from. `trained_bits` are the bits per character
    of `bot` and `start` on all of `held_out` as the training has measured them, which saves measuring again what it
    knows; `others` are the `base_samples` of `base`, where they are at hand. `between` is called now and then; what it
    raises ends the work. Raises TooFewPosts where no post is held out.
    """
    rng = np.random.default_rng(SEED)
    measured = len(held_out)
    held_out = _some(held_out, MAX_MEASURED, rng)
    bits: dict[int, float] = {}
    if trained_bits is not None and base is start and held_out:
        bits = {id(start): trained_bits[1], id(bot): trained_bits[0]}
    else:
        measured = len(held_out)
    for checkpoint in (bot, start, base):
        between()
        if id(checkpoint) not in bits:
            bits[id(checkpoint)] = evaluate(checkpoint, held_out).bits_per_character

    between()
    written = _write(Sampler(bot), SEED)
    foreign = others or base_samples(base, between)
    own = _some(learned, len(foreign.learned), rng)

    between()
    own_guard = CopyGuard.of(learned)
    guard = CopyGuard.of(learned, beside=start_guard) if start_guard else own_guard
    copies = [found for post in written if guard.is_copy(post) and (found := guard.nearest(post))]
    voice = VoiceClassifier.of(own, foreign.learned[: len(own)])
    known = _known_words(learned, foreign.learned[: len(own)])

    def shares(of: Callable[[Sequence[str]], float | None]) -> Shares:
        between()
        return Shares(of(written), of(held_out), of(foreign.unseen))

    return ReportCard(
        bits_per_character=bits[id(bot)],
        start_bits_per_character=bits[id(start)],
        base_bits_per_character=bits[id(base)],
        measured=measured,
        known_to_start=sum(start_guard.is_copy(post) for post in held_out) if start_guard else 0,
        asked=POSTS,
        written=len(written),
        temperature=TEMPERATURE,
        seed=SEED,
        classifier_posts=len(own),
        novelty=Shares(
            1 - len(copies) / len(written) if written else None,
            _mean([not own_guard.is_copy(post) for post in held_out]),
            _mean([not own_guard.is_copy(post) for post in foreign.unseen]),
        ),
        copies=tuple(
            Copied(found.post if found.post < len(learned) else None, found.share, found.run) for found in copies
        ),
        voice=shares(lambda posts: _mean(voice.recognised(posts).tolist()) if own else None),
        real_words=shares(lambda posts: _mean([word in known for post in posts for word in words(post)])),
    )


def _write(sampler: Sampler, seed: int) -> list[str]:
    config = SamplingConfig(count=POSTS, temperature=TEMPERATURE, seed=seed, copy_guard=False, mask_mentions=False)
    return sampler.generate(config).posts


def _some(posts: Sequence[str], most: int, rng: np.random.Generator) -> list[str]:
    """Return the posts, or as many as may be drawn from them by chance, in their order."""
    if len(posts) <= most:
        return list(posts)
    return [posts[index] for index in sorted(rng.permutation(len(posts))[:most].tolist())]


def _known_words(learned: Sequence[str], others: Sequence[str]) -> set[str]:
    counts = Counter(word for post in others for word in words(post))
    often = {word for word, count in counts.items() if count >= OFTEN}
    return often.union(*map(words, learned))


def _mean(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None
