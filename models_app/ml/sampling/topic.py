"""What a post is to be about, as a fluent bot reads it: a line before the post, between two end marks.

A BPE merges the most frequent pairs first (Sennrich et al. 2016, arXiv:1508.07909), so the number of a token is about
the rank of its frequency, and by Zipf's law its logarithm is about the token's information. The sum over a word's
tokens tells rare words from frequent ones without counting a corpus.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import takewhile
from typing import Final, Self

import numpy as np

from models_app.ml.vocabulary import Vocabulary
from models_app.ml.words import words

#: Only words rarer than the token of this rank can be topics.
COMMON: Final = 1800
#: The most words of a topic that posts are compared with, and the share of them that a post about it has.
_MOST, _ENOUGH = 4, 0.5
#: Two forms of a word have at least this many letters in common at the beginning, then one of these endings.
_SHARED: Final = 3
_ENDING: Final = re.compile(r"e?s|ed|ers?|e[nm]|ings?|[ey]|i?ly|ies|ied|ier|ity|ally|al|")
#: Endings before which the last common letter is doubled ("run", "running").
_DOUBLED: Final = re.compile(r"(.)\1(?:ing|ed|ers?|y)")


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic that is asked for. words: its rarest words, folded; without any, every post is about it."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, about: str, vocabulary: Vocabulary) -> Self:
        """Return the topic of a few words or of a sentence, in which common words say little."""
        found = list(dict.fromkeys(words(about)))
        rare = [word for word in found if rarity(word, vocabulary) > math.log(COMMON)]
        return cls(tuple(sorted(rare or found, key=lambda word: -rarity(word, vocabulary))[:_MOST]))

    def is_of(self, post: str) -> bool:
        """Return whether the post has at least half of the words, in any form."""
        found = set(words(post))
        had = sum(any(are_forms(word, each) for each in found) for word in self.words)
        return had >= _ENOUGH * len(self.words)


def rarity(word: str, vocabulary: Vocabulary) -> float:
    """Return about the information of a word, in nats. One at the beginning of a sentence is no rarer for that."""
    encoded = [vocabulary.encode(f" {form}").astype(np.int64) for form in {word, word.lower()}]
    return min(float(np.log(symbols + 1).sum()) for symbols in encoded)


def line_about(topic: str) -> str:
    """Return the line that says what the next post is about."""
    return f"about: {topic}"


def are_forms(first: str, second: str) -> bool:
    """Return whether two folded words are the same but for their endings, as an English or German reader takes them."""
    first, second = (word.removesuffix("e") if len(word) > _SHARED else word for word in (first, second))
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
    return first == second or (
        shared >= _SHARED
        and all(_ENDING.fullmatch(word[shared:]) or _DOUBLED.fullmatch(word[shared - 1 :]) for word in (first, second))
    )
