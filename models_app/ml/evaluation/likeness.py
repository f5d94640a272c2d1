"""How much a bot's draft sounds like the person, to keep the best of several. NumPy only.

A draft's score is the difference of two figures, each divided by its standard deviation among the bot's posts:

- style: the evidence per n-gram of a style detector trained on posts by the person and posts by this bot;
- half of its oddity: how far its log-likelihood per character is from that of real posts. Odd posts are confused, and
  posts that are too likely are dull.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from models_app.ml.config import SamplingConfig
from models_app.ml.errors import CheckpointError, mark
from models_app.ml.sampling import links
from models_app.ml.sampling.choice import Draft
from models_app.ml.sampling.sampler import Sampler
from models_app.ml.state_file import StateError, load_state, save_state

from .authorship import RUNS, VoiceClassifier
from .pacing import once_a_second

FORMAT: Final = 1
#: Posts that the bot writes for the detector, in as many batches as there are seeds. No report card uses these seeds.
BATCH: Final = 100
SEEDS: Final = (101, 102)
#: With fewer of them, there is no detector.
MIN_POSTS: Final = 40
#: Seconds for all of them.
SECONDS: Final = 30.0
FOLDS: Final = 5
ODDITY: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class PersonLikeness:
    """Tells how much drafts sound like one person.

    detector: the style detector; typical: log-likelihood of real posts, in nats per character; spread (2,): standard
    deviations of style and oddity; reference (R,): the scores of the bot's posts, sorted.
    """

    detector: VoiceClassifier
    typical: float
    spread: NDArray[np.float64]
    reference: NDArray[np.float64]

    def __call__(self, drafts: Sequence[Draft]) -> NDArray[np.float64]:
        """Return for each draft (D,) the fraction of the bot's posts that sound less like the person."""
        style = self.detector.evidence_per_run([draft.post for draft in drafts])
        scores = _scores(style, np.array([draft.nats for draft in drafts]), self.typical, self.spread)
        return np.searchsorted(self.reference, scores) / len(self.reference)

    @property
    def nbytes(self) -> int:
        """Return the bytes of its arrays."""
        return self.detector.weights.nbytes + self.reference.nbytes

    @classmethod
    def of(
        cls,
        sampler: Sampler,
        learned: Sequence[str],
        bits_per_character: float,
        between: Callable[[], None] = lambda: None,
    ) -> Self | None:
        """Return the likeness to the person who wrote `learned`, None if the bot writes too few posts in SECONDS.

        The bot predicts real posts that it hasn't learned with so many bits per character. Calls `between` now and
        then; if it raises, the work ends.
        """
        drafts: list[Draft] = []
        for seed in SEEDS:
            config = SamplingConfig(count=BATCH, seed=seed, copy_guard=False, link_guard=links.guard_for(learned))
            found = sampler.generate(config, measure=True, proceed=once_a_second(between), seconds=SECONDS / len(SEEDS))
            drafts += map(Draft, found.posts, found.nats)
        rng = np.random.default_rng(SEEDS[0])
        own = [learned[place] for place in rng.permutation(len(learned))[: len(drafts)].tolist()]
        if min(len(drafts), len(own)) < MIN_POSTS:
            return None
        written = [draft.post for draft in drafts]
        # A detector knows the posts that it has learned, so each post is judged by one that hasn't learned it.
        fold = rng.permutation(len(written)) % FOLDS
        style = np.zeros(len(written))
        for number in range(FOLDS):
            others = [post for post, part in zip(written, fold, strict=True) if part != number]
            judged = [post for post, part in zip(written, fold, strict=True) if part == number]
            style[fold == number] = VoiceClassifier.of(own, others).evidence_per_run(judged)
        nats, typical = np.array([draft.nats for draft in drafts]), -bits_per_character * log(2)
        spread = np.maximum([style.std(), np.abs(nats - typical).std()], 1e-9)
        return cls(VoiceClassifier.of(own, written), typical, spread, np.sort(_scores(style, nats, typical, spread)))

    def save(self, path: Path) -> None:
        """Save it atomically, in about 300 KB. It holds weights of hashed n-grams, but no text."""
        places = np.flatnonzero(self.detector.weights).astype(np.uint32)
        arrays: dict[str, NDArray[Any]] = {
            "places": places,
            "weights": self.detector.weights[places].astype(np.float16),
            "typical": np.array(self.typical),
            "spread": self.spread,
            "reference": self.reference,
        }
        save_state(path, arrays, {"format": FORMAT})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return what the file holds. Raises FileNotFoundError without one, and CheckpointError if it's damaged."""
        try:
            arrays, facts = load_state(path)
        except StateError as error:
            raise _damaged(path) from error
        if facts.get("format") != FORMAT:
            raise _damaged(path)
        weights = np.zeros(RUNS)
        weights[arrays["places"]] = arrays["weights"]
        weights.setflags(write=False)
        return cls(VoiceClassifier(weights), float(arrays["typical"]), arrays["spread"], arrays["reference"])


def _scores(
    style: NDArray[np.float64], nats: NDArray[np.float64], typical: float, spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    scores: NDArray[np.float64] = style / spread[0] - ODDITY * np.abs(nats - typical) / spread[1]
    return scores


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(mark("%(file)s is damaged. Remake the bot’s report card to get a new one."), file=path)
