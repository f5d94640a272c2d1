"""Augmentation of what a base model reads: other @names and #hashtags in the place of those that stand there.

A corpus is the posts of some hundred people who name the same others again and again, so a network learns by heart whom
they name. Whom the next person names is in no corpus: what helps there is to know how names are made. So some are drawn
anew, evenly from all different ones of the corpus, most of which are rare (docs/base-model.md says what it is worth).
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable
from re import Match
from typing import Final

from models_app.ml.words import HASHTAG, MENTION

#: How many different names, and as many hashtags, a renaming draws from; of more a fair sample.
MAX_KEPT: Final = 400_000


class Renaming:
    """Draws @names and #hashtags anew, a share of each; the same posts and seed, the same text."""

    def __init__(self, posts: Iterable[str], *, names: float, tags: float, most: int = MAX_KEPT) -> None:
        mentions, hashtags = _Different(most), _Different(most)
        for post in posts if names or tags else ():
            mentions.add(MENTION.findall(post))
            hashtags.add(HASHTAG.findall(post))
        self._parts = ((MENTION, names, mentions.kept()), (HASHTAG, tags, hashtags.kept()))

    def renamed(self, posts: Iterable[str], seed: str) -> list[str]:
        """Return the posts, in their order, with names and hashtags drawn anew."""
        rng = random.Random(seed)
        changed = list(posts)
        for pattern, share, kept in self._parts:
            if share and kept:

                def draw(match: Match[str], share: float = share, kept: list[str] = kept) -> str:
                    return rng.choice(kept) if rng.random() < share else match.group()

                changed = [pattern.sub(draw, post) for post in changed]
        return changed


class _Different:
    """A fair sample of the different strings that were added, in constant memory: those of the smallest hashes.

    Bottom-k sampling (Cohen and Kaplan 2007, doi:10.1145/1281100.1281133): how often a string comes does not count.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: set[str] = set()

    def add(self, strings: Iterable[str]) -> None:
        self._found.update(strings)
        if len(self._found) > 2 * self._most:
            self._found = set(self.kept())

    def kept(self) -> list[str]:
        """Return them in an order that depends on nothing but which they are."""
        return sorted(self._found, key=lambda text: (_hash(text), text))[: self._most]


def _hash(text: str) -> int:
    return zlib.crc32(text.encode())
