"""Draws what a post is about from its own words, so that a network learns to write about a topic that's asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Final

import numpy as np

from models_app.ml.sampling.topic import COMMON, line_about, rarity
from models_app.ml.vocabulary import Symbols, Vocabulary
from models_app.ml.words import LINK, MENTION

#: A word, and its lengths: longer ones than this are mostly cries, or text without spaces.
_WORD: Final = re.compile(r"[^\W\d_](?:[\w’'-]*[^\W_])?")
_APOSTROPHE: Final = re.compile("[’']")
_LENGTHS: Final = range(3, 25)
#: Topics are drawn from this many of the rarest words of a post, and have up to so many.
RAREST, MAX_WORDS = 5, 3
#: The most words of a topic that is a part of the post as it stands.
LONGEST_PART: Final = 6
#: How often a topic is a part of the post, is in lower case, and has a word in another form.
PART, LOWER, OTHER_FORM = 0.25, 0.5, 0.15


class TopicLines:
    """Draws lines that say what posts are about, for a share of them. The same random numbers give the same lines."""

    def __init__(self, vocabulary: Vocabulary, *, share: float) -> None:
        self._vocabulary, self._share = vocabulary, share
        self._topics = Topics(vocabulary)

    def of(self, posts: Sequence[Symbols], rng: np.random.Generator) -> list[Symbols]:
        """Return the line of each post as symbols, empty for the others; no lines at all if the share is 0."""
        if not self._share:
            return []
        return [self._line(post, rng) for post in posts]

    def _line(self, post: Symbols, rng: np.random.Generator) -> Symbols:
        if rng.random() < self._share and (topic := self._topics.drawn(self._vocabulary.decode(post.tolist()), rng)):
            return self._vocabulary.encode(line_about(topic))
        return np.empty(0, post.dtype)


class Topics:
    """Draws topics of posts. The same posts and random numbers give the same topics."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.rarity = lru_cache(maxsize=100_000)(partial(rarity, vocabulary=vocabulary))

    def drawn(self, post: str, rng: np.random.Generator) -> str:
        """Return some rare words of the post, or a few words in a row with a rare one; empty if it has none."""
        text = MENTION.sub(" ", LINK.sub(" ", post))
        found = list(_WORD.finditer(text))
        rare = list(dict.fromkeys(match.group() for match in found if self._is_rare(match.group())))
        if not rare:
            return ""
        rarest = sorted(rare, key=self.rarity, reverse=True)[:RAREST]
        if rng.random() < PART:
            place = [match.group() for match in found].index(rarest[rng.integers(len(rarest))])
            size = int(rng.integers(2, LONGEST_PART + 1))
            first = max(0, place - int(rng.integers(size)))
            last = found[min(len(found), first + size) - 1]
            topic = " ".join(text[found[first].start() : last.end()].split())
        else:
            chosen = rng.permutation(len(rarest))[: rng.integers(1, MAX_WORDS + 1)]
            words = [rarest[index] for index in chosen.tolist()]
            topic = ", ".join(_in_other_form(word) if rng.random() < OTHER_FORM else word for word in words)
        return topic.lower() if rng.random() < LOWER else topic

    def _is_rare(self, word: str) -> bool:
        if len(word) not in _LENGTHS or _APOSTROPHE.search(word):
            return False
        return self.rarity(word) > math.log(COMMON)


def _in_other_form(word: str) -> str:
    """Return an English word's plural or singular, or what looks like it."""
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else f"{word}s"
