"""The report card of a bot: how well it predicts the person, and figures of a hundred of its posts. NumPy only.

Bits per character are measured on held-out posts. These posts also chose the best epoch, which flatters the bot a
little. The other figures are fractions of posts generated with the copy guard off and the same seed for all bots:

- novelty: posts that don't copy a learned post, by the rules of `sampling.copy_guard`;
- voice: posts that `authorship.VoiceClassifier` takes for the person's. It's trained on the person's posts against as
  many of the base model's own, since the base model's training posts aren't available. Both the bot and the base model
  make typos, so these don't tell them apart;
- told apart: posts that a classifier gets right, trained on other posts of the bot and as many held-out ones
  (`told_apart`);
- sense: how much sense readers would find in the bot's posts, by `sampling.sense`, from 0 to 3;
- real words: words that occur in the learned posts, or at least twice in the base model's posts. Invented words rarely
  occur twice. Real posts contain words on neither list, too.

A fraction alone says little. Each is compared with the same fraction for held-out posts of the person, and for posts of
the base model that the classifier hasn't seen. Told apart has a fixed point of comparison: guessing gets half.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from itertools import chain
from threading import Event
from typing import Any, Final

import numpy as np

from models_app.ml.checkpoint import Checkpoint
from models_app.ml.config import SamplingConfig, usual
from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.sampling import links
from models_app.ml.sampling.copy_guard import CopyGuard
from models_app.ml.sampling.outcome import Writing
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.words import words

from .authorship import VoiceClassifier
from .evaluation import evaluate
from .pacing import once_a_second
from .surprise import Surprise, surprises
from .told_apart import ToldApart, told_apart

POSTS: Final = 100
SEED: Final = 1
#: The classifier is trained on this many posts of the person and as many of the base model.
LEARNED_BY_CLASSIFIER = 500
#: The maximum number of held-out posts to measure, which takes seconds for any corpus.
MAX_MEASURED: Final = 1000
#: Seconds for the posts of the bot, and for all posts of the base model, before the card makes do with fewer.
BOT_SECONDS, BASE_SECONDS = 60.0, 120.0
#: A word counts as real if it occurs this often in the base model's posts.
OFTEN: Final = 2


#: Returns a checkpoint's bits per character on posts, and calls the last argument now and then.
Measure = Callable[[Checkpoint, Sequence[str], Callable[[], None]], float]


@dataclass(frozen=True, slots=True)
class BaseSamples:
    """Posts of a base model: `unseen` ones to measure, `learned` ones to train the classifier on."""

    unseen: tuple[str, ...]
    learned: tuple[str, ...]


def rules_of_base_samples(base: Checkpoint) -> dict[str, Any]:
    """Return the settings that `base_samples` depends on, apart from the base model, as plain JSON."""
    ways = usual(base.network.kind)
    rules = {"posts": POSTS, "learned": LEARNED_BY_CLASSIFIER, "seed": SEED, "temperature": ways.temperature}
    # Kept samples of small networks, which are never cut or chosen, stay valid.
    return rules | ({"cut": True, "top_p": ways.top_p, "best_of": ways.best_of} if _is_cut(base) else {})


def _is_cut(base: Checkpoint) -> bool:
    """Return whether posts of this base are cut. A pretrained model rarely ends a post."""
    return isinstance(base.network, LlamaConfig)


def base_samples(base: Checkpoint, between: Callable[[], None] = lambda: None) -> BaseSamples:
    """Return the posts of `base` for report cards. All report cards with this base share them, so cache them.

    A pretrained base that isn't adapted to posts rarely ends one, so its posts are cut. A slow one writes fewer:
    BASE_SECONDS are for all. Calls `between` now and then; if it raises, the work ends.
    """
    sampler = Sampler(base)
    end_at, is_cancelled = time.monotonic() + BASE_SECONDS, Event()

    def go_on() -> None:
        if is_cancelled.is_set():
            raise CancelledError

    def write(seed: int) -> list[str]:
        # The first two batches are both needed.
        seconds = max(end_at - time.monotonic(), BASE_SECONDS / 4 if seed <= SEED + 1 else 0)
        return _write(sampler, seed, go_on, seconds, cut=_is_cut(base)).posts if seconds else []

    seeds = range(SEED, SEED + 1 + -(-LEARNED_BY_CLASSIFIER // POSTS))
    # NumPy's products release the GIL: two threads take about three fifths of the time of one.
    with ThreadPoolExecutor(2) as pool:
        written = [pool.submit(write, seed) for seed in seeds]
        try:
            between()
            while wait(written, timeout=1).not_done:
                between()
        finally:
            is_cancelled.set()
            pool.shutdown(cancel_futures=True)
    unseen, *others = (tuple(each.result()) for each in written)
    return BaseSamples(unseen, tuple(chain.from_iterable(others)))


@dataclass(frozen=True, slots=True)
class Shares:
    """A fraction for the bot's posts, for held-out posts of the person, and for posts of the base model.

    None if there are no posts to measure.
    """

    bot: float | None
    held_out: float | None
    base: float | None


@dataclass(frozen=True, slots=True)
class Copied:
    """A learned post that the bot copied.

    post: its index among the learned posts, None if only a parent learned it; share: fraction of the copy's words that
    are in it, in order; run: longest run of common words.
    """

    post: int | None
    share: float
    run: int


@dataclass(frozen=True, slots=True)
class ReportCard:
    """The figures of a bot. `told_apart` is None if there are too few posts.

    Bits per character of the bot, of the model it started from, and of the base model; measured: number of held-out
    posts; known_to_start: how many of these the starting model had learned; asked, written: number of posts requested
    and generated for the other figures; classifier_posts: number of training posts of the classifier on each side;
    surprise: the bits of each word of a few held-out posts; sense: None for bots that don't choose from drafts.
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
    told_apart: ToldApart | None
    surprise: tuple[Surprise, ...] = ()
    sense: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the card as JSON-ready values."""
        return asdict(self) | {
            "copies": [asdict(copied) for copied in self.copies],
            "surprise": [asdict(post) for post in self.surprise],
        }


def evaluated(checkpoint: Checkpoint, posts: Sequence[str], between: Callable[[], None]) -> float:
    """Return the bits per character by `evaluate`. A `Measure`."""
    pause = once_a_second(between)
    return evaluate(checkpoint, posts, lambda _: pause()).bits_per_character


def report_card(
    *,
    bot: Checkpoint,
    start: Checkpoint,
    base: Checkpoint,
    learned: Sequence[str],
    held_out: Sequence[str],
    start_guard: CopyGuard | None = None,
    trained_bits: tuple[float, float] | None = None,
    trained_on: int | None = None,
    others: BaseSamples | None = None,
    measure: Measure = evaluated,
    between: Callable[[], None] = lambda: None,
) -> ReportCard:
    """Return the report card of `bot`, fine-tuned from `start` on `learned`. The result is deterministic
    unless a bot is so slow that it writes fewer posts in BOT_SECONDS.

    `start_guard` knows the posts that `start` and its parents learned from. `trained_bits` are the bits per character
    of `bot` and `start` on `held_out`, if the training has measured them already; `trained_on` is the number of posts
    that it measured, by default all. `others` are the
    `base_samples` of `base`, if available. `measure` measures bits per character. Calls `between` now and then; if it
    raises, the work ends. Raises TooFewPosts if no posts are held out.
    """
    rng = np.random.default_rng(SEED)
    measured, everything = len(held_out), held_out
    held_out = _some(held_out, MAX_MEASURED, rng)
    bits: dict[int, float] = {}
    if trained_bits is not None and base is start and held_out:
        bits = {id(start): trained_bits[1], id(bot): trained_bits[0]}
        measured = measured if trained_on is None else trained_on
    else:
        measured = len(held_out)
    for checkpoint in (bot, start, base):
        between()
        if id(checkpoint) not in bits:
            bits[id(checkpoint)] = measure(checkpoint, held_out, between)

    between()
    writing = _write(Sampler(bot), SEED, between, BOT_SECONDS, link_guard=links.guard_for(held_out))
    written = writing.posts
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
        temperature=usual(bot.network.kind).temperature,
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
        told_apart=told_apart(held_out, written, seed=SEED),
        surprise=surprises(bot, base, everything, seed=SEED, known=start_guard, between=between),
        sense=writing.sense,
    )


def _write(
    sampler: Sampler,
    seed: int,
    between: Callable[[], None],
    seconds: float,
    *,
    cut: bool = False,
    link_guard: bool | None = None,
) -> Writing:
    config = SamplingConfig(
        count=POSTS,
        seed=seed,
        copy_guard=False,
        mask_mentions=False,
        link_guard=link_guard,
    )
    return sampler.generate(config, proceed=once_a_second(between), seconds=seconds, cut=cut)


def _some(posts: Sequence[str], most: int, rng: np.random.Generator) -> list[str]:
    """Return the posts, or a random sample of at most `most`, in their order."""
    if len(posts) <= most:
        return list(posts)
    return [posts[index] for index in sorted(rng.permutation(len(posts))[:most].tolist())]


def _known_words(learned: Sequence[str], others: Sequence[str]) -> set[str]:
    counts = Counter(word for post in others for word in words(post))
    often = {word for word, count in counts.items() if count >= OFTEN}
    return often.union(*map(words, learned))


def _mean(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None
