"""Draws what a post is about from its own words, so that a network learns to write about a topic that's asked for."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Final

import numpy as np

from models_app.ml.networks.llama.config import LlamaConfig
from models_app.ml.networks.registry import Network
from models_app.ml.sampling.topic import COMMON, are_forms, line_about, rarity
from models_app.ml.vocabulary import Symbols, Vocabulary, vocabulary_of
from models_app.ml.words import HASHTAG, LINK, MENTION

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


#: A word is usual if so many posts have it.
USUAL: Final = 3
#: A word that begins more than this share of its posts is no topic.
MOSTLY: Final = 0.4
#: By Zipf's law, the word of rank r is 1 of r times the sum of 1/k over all ranks k; its logarithm, for 50,000 words.
LOG_HARMONIC: Final = math.log(math.log(50_000) + 0.577)


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
        rare = list(dict.fromkeys(match.group() for match in found if self.is_rare(match.group())))
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

    def is_rare(self, word: str) -> bool:
        """Return whether the word can be a topic."""
        if len(word) not in _LENGTHS or _APOSTROPHE.search(word):
            return False
        return self.rarity(word) > math.log(COMMON)


def topics_of(posts: Sequence[str], network: Network, most: int = 20) -> list[str]:
    """Return the usual topics of the posts if such a network learns topics, else none."""
    return usual_topics(posts, vocabulary_of(network), most) if isinstance(network, LlamaConfig) else []


def usual_topics(posts: Sequence[str], vocabulary: Vocabulary, most: int) -> list[str]:
    """Return up to `most` words that the posts have more often than text in general, the most telling one first.

    A word counts once for each post. Its weight is what it adds to the divergence of the person's words from those of
    text in general (Kullback and Leibler 1951): n log(p / q), for n posts with it, its share p of all words, and its
    share q by its rarity. Forms of one word count as one. A word that mostly begins posts ("Thanks") is no topic.
    """
    rare = Topics(vocabulary)
    counts, first, written = Counter[str](), Counter[str](), defaultdict[str, Counter[str]](Counter)
    total = 0
    for post in posts:
        text = HASHTAG.sub(" ", MENTION.sub(" ", LINK.sub(" ", post)))
        found = [match.group() for match in _WORD.finditer(text)]
        total += len(found)
        first.update(word.casefold() for word in found[:1])
        for word in {word.casefold(): word for word in found if rare.is_rare(word)}.values():
            counts[word.casefold()] += 1
            written[word.casefold()][word] += 1

    def weight(word: str) -> float:
        return counts[word] * (math.log(counts[word] / total) + rare.rarity(word) + LOG_HARMONIC)

    chosen: list[str] = []
    usual = [word for word, count in counts.items() if count >= USUAL and first[word] <= MOSTLY * count]
    for word in sorted(usual, key=weight, reverse=True):
        if weight(word) > 0 and not any(are_forms(word, other.casefold()) for other in chosen):
            chosen.append(written[word].most_common(1)[0][0])
        if len(chosen) == most:
            break
    return chosen


def _in_other_form(word: str) -> str:
    """Return an English word's plural or singular, or what looks like it."""
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else f"{word}s"
