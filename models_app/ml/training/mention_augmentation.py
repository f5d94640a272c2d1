"""Augmentation for base training: replaces @names and #hashtags with others from the corpus.

The corpus comes from a few hundred people who mention the same accounts again and again, so a network memorizes these
names. The next person mentions others, so it's more useful to learn how names are formed. Replacements are drawn
uniformly from all distinct names of the corpus, most of them rare.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable
from re import Match
from typing import Final

from models_app.ml.words import HASHTAG, MENTION

#: The most distinct names, and the most hashtags, to draw from. With more, a uniform sample is kept.
MAX_KEPT: Final = 400_000


class Renaming:
    """Replaces a fraction of @names and of #hashtags. The same posts and seed give the same text."""

    def __init__(self, posts: Iterable[str], *, names: float, tags: float, most: int = MAX_KEPT) -> None:
        mentions, hashtags = _Different(most), _Different(most)
        for post in posts if names or tags else ():
            mentions.add(MENTION.findall(post))
            hashtags.add(HASHTAG.findall(post))
        self._parts = ((MENTION, names, mentions.kept()), (HASHTAG, tags, hashtags.kept()))

    def renamed(self, posts: Iterable[str], seed: str) -> list[str]:
        """Return the posts, in order, with names and hashtags replaced."""
        rng = random.Random(seed)
        changed = list(posts)
        for pattern, share, kept in self._parts:
            if share and kept:

                def draw(match: Match[str], share: float = share, kept: list[str] = kept) -> str:
                    return rng.choice(kept) if rng.random() < share else match.group()

                changed = [pattern.sub(draw, post) for post in changed]
        return changed


class _Different:
    """A uniform sample of the distinct strings added, in constant memory: those with the smallest hashes.

    Bottom-k sampling (Cohen and Kaplan 2007, doi:10.1145/1281100.1281133): a string's frequency doesn't matter.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: set[str] = set()

    def add(self, strings: Iterable[str]) -> None:
        self._found.update(strings)
        if len(self._found) > 2 * self._most:
            self._found = set(self.kept())

    def kept(self) -> list[str]:
        """Return the sample in an order that depends only on its strings."""
        return sorted(self._found, key=lambda text: (_hash(text), text))[: self._most]


def _hash(text: str) -> int:
    return zlib.crc32(text.encode())
